"""The benchmark runner: methods, seeds and label draws compared with intervals, in one resumable run."""
