"""FALSE: false-negative-aware contrastive learning for land-cover segmentation with almost no labels.

``from projects.false import FALSELoss`` works with PyTorch and MMEngine alone. Names are imported on first use, so that
``tools/doctor.py`` can run where nothing else is installed.
"""

from importlib import import_module

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
    'MapOptions': 'projects.false.mapping.map_image',
    'load_segmenter': 'projects.false.mapping.load_segmenter',
    'map_rasters': 'projects.false.mapping.map_rasters',
}
__all__ = [*_HOMES, '__version__']


def __getattr__(name: str):
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
