"""Two views of a patch for contrastive pretraining, coloured in the loader or on the training device."""

from .views import ContrastiveViews

__all__ = ['ContrastiveViews']
