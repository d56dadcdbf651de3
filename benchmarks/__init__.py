"""Benchmarks, one module each: ``python -m benchmarks.NAME --help``. Folders hold their parts."""
