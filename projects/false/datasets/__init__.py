"""The data sets: patches with and without labels, windows of rasters, contrastive views, and seeded sampling.

Only the segmentation configs import ``land_cover``, which needs mmseg.
"""

from .loading import LoadIndexMask, LoadPatch
from .patches import UnlabelledPatches
from .raster_windows import RasterWindows
from .seeding import NeighbourSampler, SeededSampler
from .view_evidence import ViewAppearance, ViewMaps, ViewPlace
from .view_labels import DominantClass, ViewLandCover
from .views.views import ContrastiveViews

__all__ = [
    'ContrastiveViews',
    'DominantClass',
    'LoadIndexMask',
    'LoadPatch',
    'NeighbourSampler',
    'RasterWindows',
    'SeededSampler',
    'UnlabelledPatches',
    'ViewAppearance',
    'ViewLandCover',
    'ViewMaps',
    'ViewPlace',
]
