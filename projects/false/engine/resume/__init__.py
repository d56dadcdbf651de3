"""Resuming: bit for bit where the run is the same, with a clear message where it is not."""
