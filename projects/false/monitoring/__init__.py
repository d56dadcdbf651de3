"""Is pretraining going somewhere? Measures of embeddings and of features, for the hooks that watch a run."""
