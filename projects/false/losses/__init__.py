"""Contrastive losses: comparison -> determination -> calibration -> loss.

Pure PyTorch over (N, D) projections, on one process or several; of MMEngine only the registry is used. Imports nothing
from the rest of the project but its error type.
"""

from .contrastive import ContrastiveLoss
from .determinations import DETERMINATIONS, AnchorNearest, Released, build_determination
from .false_loss import FALSELoss
from .nt_xent import NTXentLoss

__all__ = [
    'DETERMINATIONS',
    'AnchorNearest',
    'ContrastiveLoss',
    'FALSELoss',
    'NTXentLoss',
    'Released',
    'build_determination',
]
