"""Parts of :mod:`benchmarks.loss`: embeddings, what is compared, how it is timed, and what was promised."""
