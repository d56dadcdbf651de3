"""The algorithm, its neck and its head: they wire a backbone of the current scope to a loss."""

from projects.false.losses import FALSELoss, NTXentLoss

from .false import FALSE
from .head import FALSEHead
from .neck import FALSENeck
from .preprocessor import ViewPreprocessor

__all__ = ['FALSE', 'FALSEHead', 'FALSELoss', 'FALSENeck', 'NTXentLoss', 'ViewPreprocessor']
