"""Hooks that monitor pretraining: measures of the embeddings, and probes of the features with a few labels."""
