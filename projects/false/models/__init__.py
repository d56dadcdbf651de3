"""Algorithms with their neck, head and preprocessor, which join a backbone of the current scope with a loss."""

from projects.false.losses.false_loss import FALSELoss
from projects.false.losses.nt_xent import NTXentLoss

from .false import FALSE
from .false_moco import FALSEMoCo
from .preprocessor import ViewPreprocessor
from .projection import FALSEHead, FALSENeck
from .timm_backbone import TimmBackbone

__all__ = [
    'FALSE',
    'FALSEHead',
    'FALSELoss',
    'FALSEMoCo',
    'FALSENeck',
    'NTXentLoss',
    'TimmBackbone',
    'ViewPreprocessor',
]
