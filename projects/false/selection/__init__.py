"""Choose the patches that are worth labelling, by their features or by the doubts of a model."""
