"""FALSE: false-negative-aware contrastive learning for land-cover segmentation with almost no labels."""
