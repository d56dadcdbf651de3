"""FALSE: false-negative-aware contrastive learning for land-cover segmentation with almost no labels.

``from projects.false import FALSELoss`` works with PyTorch and MMEngine alone. Names are imported on first use, so that
``tools/doctor.py`` can run where nothing else is installed.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # for editors and type checkers, which do not run __getattr__
    from .common.errors import InputError
    from .losses import DebiasedLoss, FALSELoss, FNCLoss, HardNegativeLoss, NTXentLoss
    from .mapping.load_segmenter import load_segmenter
    from .mapping.map_rasters import map_rasters
    from .mapping.options import MapOptions
    from .models import FALSE, FALSEHead, FALSEMoCo, FALSENeck

__version__ = '0.1.0'

_HOMES = {
    'FALSELoss': 'projects.false.losses',
    'NTXentLoss': 'projects.false.losses',
    'FNCLoss': 'projects.false.losses',
    'DebiasedLoss': 'projects.false.losses',
    'HardNegativeLoss': 'projects.false.losses',
    'FALSE': 'projects.false.models',
    'FALSEMoCo': 'projects.false.models',
    'FALSENeck': 'projects.false.models',
    'FALSEHead': 'projects.false.models',
    'InputError': 'projects.false.common.errors',
    'MapOptions': 'projects.false.mapping.options',
    'load_segmenter': 'projects.false.mapping.load_segmenter',
    'map_rasters': 'projects.false.mapping.map_rasters',
}
__all__ = [
    'FALSE',
    'DebiasedLoss',
    'FALSEHead',
    'FALSELoss',
    'FALSEMoCo',
    'FALSENeck',
    'FNCLoss',
    'HardNegativeLoss',
    'InputError',
    'MapOptions',
    'NTXentLoss',
    '__version__',
    'load_segmenter',
    'map_rasters',
]


def __getattr__(name: str) -> object:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
