"""Moved to :mod:`projects.false.models.segmentation`; this name will be removed in the release after 0.1."""

import warnings

from projects.false.models.segmentation import LinearSegmentationHead

__all__ = ['LinearSegmentationHead']

warnings.warn(
    'projects.false.models.linear_head is deprecated and will be removed in the release after 0.1; '
    'import projects.false.models.segmentation',
    DeprecationWarning,
    stacklevel=2,
)
