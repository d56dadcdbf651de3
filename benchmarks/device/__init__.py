"""Parts of ``python -m benchmarks.gpu``: is it right, is it fast, what waits."""
