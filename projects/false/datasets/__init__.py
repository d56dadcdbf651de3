"""Patches with and without labels, how they are read, and where their randomness comes from.

``land_cover`` needs mmseg and is imported by the segmentation configs only.
"""

from .loading import LoadIndexMask, LoadPatch
from .patches import UnlabelledPatches
from .raster_windows import RasterWindows
from .seeding import SeededSampler
from .view_labels import DominantClass, ViewLandCover
from .views.views import ContrastiveViews

__all__ = [
    'ContrastiveViews',
    'DominantClass',
    'LoadIndexMask',
    'LoadPatch',
    'RasterWindows',
    'SeededSampler',
    'UnlabelledPatches',
    'ViewLandCover',
]
