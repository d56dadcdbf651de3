"""Checkpoints: read and written as data, complete at every moment, and found again when a run resumes."""
