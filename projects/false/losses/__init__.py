"""Contrastive losses in four steps: comparison, determination, calibration, loss.

Pure PyTorch over (N, D) projections, on one process or several. The losses use MMEngine only for its registry, and the
project only for the error type and its range checks.
"""

from .base import ContrastiveLoss, DeterminedLoss
from .debiased import DebiasedLoss, HardNegativeLoss
from .determinations.anchor_nearest import AnchorNearest
from .determinations.base import DETERMINATIONS, build_determination
from .determinations.released import Released
from .false_loss import FALSELoss
from .fnc import FNCLoss
from .nt_xent import NTXentLoss

__all__ = [
    'DETERMINATIONS',
    'AnchorNearest',
    'ContrastiveLoss',
    'DebiasedLoss',
    'DeterminedLoss',
    'FALSELoss',
    'FNCLoss',
    'HardNegativeLoss',
    'NTXentLoss',
    'Released',
    'build_determination',
]
