"""Sides, sizes and tables of ``python -m benchmarks.inference``."""
