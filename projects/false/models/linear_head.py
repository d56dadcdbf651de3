"""Moved to :mod:`projects.false.models.segmentation`; this name goes with the release after 0.1."""

from projects.false.models.segmentation import LinearSegmentationHead

__all__ = ['LinearSegmentationHead']
