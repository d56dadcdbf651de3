"""NT-Xent and InfoNCE, the losses of SimCLR and MoCo: the baselines without false negatives."""

import torch
from mmengine.registry import MODELS
from torch import Tensor

from .base import ContrastiveLoss
from .comparison import Block
from .linear_memory import logsumexp


@MODELS.register_module()
class NTXentLoss(ContrastiveLoss):
    r"""Normalised temperature-scaled cross entropy (SimCLR, arXiv 2002.05709, equation 1).

    .. math:: L_i = -\log \frac{e_{ip}}{e_{ip} + \sum_{j \in Neg(i)} e_{ij}}

    With a queue it is the InfoNCE loss of MoCo (arXiv 1911.05722, equation 1): the same sum over other negatives.

    Args:
        temperature: tau > 0.
        gather, chunk_size: See :class:`.base.ContrastiveLoss`.

    Shape:
        See :class:`.base.ContrastiveLoss`.

    Raises:
        InputError: An argument is out of range, or the shapes do not fit.
    """

    def __init__(self, temperature: float = 0.5, gather: bool = True, chunk_size: int | None = None) -> None:
        super().__init__(temperature, gather, chunk_size)

    def per_anchor(self, block: Block) -> Tensor:
        """Return L_i, shape (B, 1), computed in log space."""
        negatives = logsumexp(block.logits, bound=block.bound, overwrite=True)
        return torch.logaddexp(block.positive_logits, negatives) - block.positive_logits
