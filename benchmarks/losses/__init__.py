"""Parts of :mod:`benchmarks.loss`: embeddings, sides, timing, memory, tables and goals."""
