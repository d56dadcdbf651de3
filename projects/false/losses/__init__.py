"""Contrastive losses: similarities -> determination -> calibration -> loss.

Pure PyTorch over (N, D) projections; of MMEngine only the registry is used. Imports nothing from the rest of the
project but its error type.
"""

from .determination import DETERMINATIONS, AnchorNearest, Released, build_determination
from .false_loss import FALSELoss
from .nt_xent import NTXentLoss

__all__ = ['DETERMINATIONS', 'AnchorNearest', 'FALSELoss', 'NTXentLoss', 'Released', 'build_determination']
