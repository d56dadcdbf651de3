"""The algorithms, their neck and their head: they wire a backbone of the current scope to a loss."""

from projects.false.losses import FALSELoss, NTXentLoss

from .false import FALSE
from .false_moco import FALSEMoCo
from .head import FALSEHead
from .neck import FALSENeck
from .preprocessor import ViewPreprocessor

__all__ = ['FALSE', 'FALSEHead', 'FALSELoss', 'FALSEMoCo', 'FALSENeck', 'NTXentLoss', 'ViewPreprocessor']
