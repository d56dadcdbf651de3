"""Debiased and hard-negative losses, which correct for false negatives on average, without identifying them."""

import math

import torch
from mmengine.registry import MODELS
from torch import Tensor

from projects.false.common.errors import InputError, check_range

from .base import ContrastiveLoss
from .comparison import Block
from .linear_memory import logsumexp


@MODELS.register_module()
class DebiasedLoss(ContrastiveLoss):
    """Debiased contrastive loss (Chuang et al., NeurIPS 2020, arXiv 2007.00224); :func:`debiased` has the equation.

    Args:
        temperature: tau > 0.
        tau_plus: Probability that a negative is false, in [0, 1).
        gather, chunk_size: See :class:`.base.ContrastiveLoss`.

    Shape:
        See :class:`.base.ContrastiveLoss`.

    Raises:
        InputError: An argument is out of range, or the shapes do not fit.
    """

    beta = 0.0  # HardNegativeLoss sets it

    def __init__(
        self, temperature: float = 0.5, tau_plus: float = 0.1, gather: bool = True, chunk_size: int | None = None
    ) -> None:
        super().__init__(temperature, gather, chunk_size)
        check_range(f'tau_plus (a probability) of {type(self).__name__}', tau_plus, 0, 1)
        if tau_plus == 1:
            raise InputError(f'tau_plus (a probability) of {type(self).__name__} must be below 1, got {tau_plus!r}')
        self.tau_plus = tau_plus

    def per_anchor(self, block: Block) -> Tensor:
        """Return L_i, shape (B, 1)."""
        return debiased(block, self.tau_plus, self.beta)

    def extra_repr(self) -> str:
        return f'{super().extra_repr()}, tau_plus={self.tau_plus}'


@MODELS.register_module()
class HardNegativeLoss(DebiasedLoss):
    """Contrastive loss with hard negatives (Robinson et al., ICLR 2021, arXiv 2010.04592, equation 4).

    Args:
        temperature: tau > 0.
        tau_plus: See :class:`DebiasedLoss`.
        beta: Emphasis on hard negatives in [0, 100]; 0 is :class:`DebiasedLoss`.
        gather, chunk_size: See :class:`.base.ContrastiveLoss`.

    Shape:
        See :class:`.base.ContrastiveLoss`.

    Raises:
        InputError: An argument is out of range, or the shapes do not fit.
    """

    def __init__(
        self,
        temperature: float = 0.5,
        tau_plus: float = 0.1,
        beta: float = 1.0,
        gather: bool = True,
        chunk_size: int | None = None,
    ) -> None:
        super().__init__(temperature, tau_plus, gather, chunk_size)
        check_range('beta of HardNegativeLoss', beta, 0, 100)
        self.beta = beta

    def extra_repr(self) -> str:
        return f'{super().extra_repr()}, beta={self.beta}'


def debiased(block: Block, tau_plus: float = 0.1, beta: float = 0.0) -> Tensor:
    r"""Return the debiased contrastive loss of every anchor, with an emphasis on hard negatives if beta > 0.

    .. math::
        N_i = \max\Big( \frac{\sum_{Neg(i)} w_{ij} e_{ij} - \tau^+ M e_{ip}}{1 - \tau^+},\; M e^{-1/\tau} \Big), \quad
        L_i = -\log \frac{e_{ip}}{e_{ip} + N_i}, \quad
        w_{ij} = \frac{M e_{ij}^\beta}{\sum_{Neg(i)} e_{ik}^\beta}, \quad M = |Neg(i)|

    Nothing is detached, not even the weights w. An anchor without negatives costs 0.

    Args:
        block: Anchors against all columns.
        tau_plus: Probability that a negative is false, in [0, 1).
        beta: Emphasis on hard negatives, at least 0; 0 gives w = 1.

    Returns:
        L_i, shape (B, 1).
    """
    positive = block.positive_logits
    negative_count = block.comparison.negatives()
    if isinstance(negative_count, Tensor):
        count = negative_count[block.anchors]
    else:
        count = torch.full_like(positive.detach(), negative_count)
    # Keep everything finite for anchors without negatives: the last line masks them, but NaN would reach the gradient.
    log_count = count.clamp(min=1).to(positive.dtype).log()
    negatives = logsumexp(block.logits, 1 + beta, block.bound, overwrite=beta == 0).clamp(min=-1e30)
    if beta > 0:
        negatives = log_count + negatives - logsumexp(block.logits, beta, block.bound, overwrite=True).clamp(min=-1e30)
    least = log_count - 1 / block.temperature
    if tau_plus > 0:
        # log(a - b) = log a + log(1 - b / a) where a > b; elsewhere N_i takes its lower bound.
        gap = math.log(tau_plus) + log_count + positive - negatives
        negatives = torch.where(gap < 0, negatives + torch.log(-torch.expm1(gap.clamp(max=-1e-7))), -torch.inf)
    corrected = torch.maximum(negatives - math.log1p(-tau_plus), least)
    return torch.logaddexp(positive, torch.where(count > 0, corrected, -torch.inf)) - positive
