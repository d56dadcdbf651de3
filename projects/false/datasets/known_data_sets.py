"""Moved to :mod:`projects.false.datasets.land_cover`; this name goes with the release after 0.1."""

from projects.false.datasets.land_cover import DGLCPatches, PotsdamPatches, XiangtanPatches

__all__ = ['DGLCPatches', 'PotsdamPatches', 'XiangtanPatches']
