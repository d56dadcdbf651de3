"""Moved to :mod:`projects.false.datasets.land_cover`; this name will be removed in the release after 0.1."""

import warnings

from projects.false.datasets.land_cover import DGLCPatches, PotsdamPatches, XiangtanPatches

__all__ = ['DGLCPatches', 'PotsdamPatches', 'XiangtanPatches']

warnings.warn(
    'projects.false.datasets.known_data_sets is deprecated and will be removed in the release after 0.1; '
    'import projects.false.datasets.land_cover',
    DeprecationWarning,
    stacklevel=2,
)
