"""Parts of ``python -m benchmarks.pipeline``: content, sides, the two measurements, and the report."""
