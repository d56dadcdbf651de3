"""Errors, files, threads, locks and random state for every other package. Imports nothing else of the project."""
