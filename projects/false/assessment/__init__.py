"""How far a map can be trusted: places to check, areas and accuracies with intervals, and a calibrated confidence."""
