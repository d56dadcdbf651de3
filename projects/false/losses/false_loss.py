"""FALSE: false-negative confidence calibration (FNCC) and the loss built on it."""

import math
from typing import Any

import torch
from mmengine.registry import MODELS
from torch import Tensor

from projects.false.common.errors import check_range

from .base import DeterminedLoss
from .comparison import Block
from .determinations.base import Pairs
from .linear_memory import PLAIN, logsumexp, logsumexp_and_picked, plain_sums


@MODELS.register_module()
class FALSELoss(DeterminedLoss):
    """False-negative-aware contrastive loss (Zhang et al., IEEE GRSL 2022, arXiv 2211.07928).

    A determination (FNSD) picks the probable false negatives of every anchor, and :func:`calibrated_cross_entropy`
    (FNCC) moves a share of each to the positives. Without pairs, or with alpha = 0, it equals NT-Xent.

    Args:
        temperature: tau > 0.
        confidence_weight: alpha in [0, 1], the share of a determined pair that counts as positive. 0 is NT-Xent.
        positive_threshold: T in [-1, 1]. An anchor's false negatives are determined only if the cosine of its own two
            views is at least T.
        determination: The rule that picks false negatives: a name, or ``dict(type=name, ...)`` with its arguments.
            ``anchor_nearest``, ``margin``, ``topk`` and ``mutual`` look at every anchor, ``batch_nearest`` and
            ``released`` (the rule of the released code) at the batch, ``evidence`` at what the views show, and
            ``oracle`` at labels.
        gather, chunk_size: See :class:`.base.ContrastiveLoss`.
        confidence_floor: Cosine in [-1, 1] above which the confidence in a pair grows, up to alpha for a pair as
            similar as the anchor's two views (:func:`pair_confidence`). None gives every pair the full alpha.

    Shape:
        See :class:`.base.ContrastiveLoss`.

    Raises:
        InputError: An argument is out of range, the shapes do not fit, or the determination has no meaning with a
            queue (``released``, ``mutual``).

    Example:
        >>> import torch
        >>> from projects.false import FALSELoss
        >>> loss = FALSELoss(temperature=0.5, confidence_weight=0.9, positive_threshold=0.5)
        >>> value = loss(torch.randn(8, 128), torch.randn(8, 128))
        >>> value = loss(torch.randn(8, 128), torch.randn(8, 128), queue=torch.randn(64, 128))
    """

    def __init__(
        self,
        temperature: float = 0.5,
        confidence_weight: float = 1.0,
        positive_threshold: float = 0.9,
        determination: str | dict[str, Any] = 'anchor_nearest',
        gather: bool = True,
        chunk_size: int | None = None,
        confidence_floor: float | None = None,
    ) -> None:
        super().__init__(temperature, positive_threshold, determination, gather, chunk_size)
        check_range('confidence_weight (alpha) of FALSELoss', confidence_weight, 0, 1)
        if confidence_floor is not None:
            check_range('confidence_floor (a cosine) of FALSELoss', confidence_floor, -1, 1)
        self.confidence_weight = confidence_weight
        self.confidence_floor = confidence_floor

    def per_determined_anchor(self, block: Block, pairs: Pairs) -> Tensor:
        """Return L_i, shape (B, 1)."""
        return calibrated_cross_entropy(block, pairs, self.confidence_weight, self.confidence_floor)

    def extra_repr(self) -> str:
        return f'{super().extra_repr()}, confidence_weight={self.confidence_weight}'


def calibrated_cross_entropy(
    block: Block, pairs: Pairs, confidence_weight: float, confidence_floor: float | None = None
) -> Tensor:
    r"""Return the calibrated cross entropy of every anchor.

    A share alpha of every determined pair moves from the negatives to the positives:

    .. math:: L_i = -\log \frac{e_{ip} + \sum_{j \in F(i)} \alpha_{ij} e_{ij}}{\sum_{j \ne i} e_{ij}}

    The sum of positives and negatives is unchanged, so only the numerator differs from NT-Xent.

    Args:
        block: Anchors against all columns.
        pairs: F(i), a constant for the gradient.
        confidence_weight: alpha in [0, 1].
        confidence_floor: Cosine below which a pair does not move, see :func:`pair_confidence`. None sets
            alpha_ij = alpha.

    Returns:
        L_i, shape (B, 1), computed in log space: finite at any temperature.
    """
    positive = block.positive_logits
    if confidence_weight == 0 or pairs.chosen.shape[1] == 0:
        negatives, numerator = logsumexp(block.logits, bound=block.bound, overwrite=True), positive
    elif block.bound <= PLAIN:
        weights = pairs.weights(positive.dtype)
        if pairs.confidence is not None:
            weights *= pairs.confidence
        if confidence_floor is not None:
            weights *= pair_confidence(block, pairs, confidence_floor)
        negatives, moved = plain_sums(block.logits, weights, pairs.columns)
        numerator = torch.logaddexp(positive, moved + math.log(confidence_weight))
    else:
        negatives, candidates = logsumexp_and_picked(block.logits, pairs.columns)
        moved = pairs.among(candidates, 2 * block.bound)
        if pairs.confidence is not None:
            moved = moved + pairs.confidence.clamp(min=torch.finfo(moved.dtype).tiny).log()
        if confidence_floor is not None:
            moved = moved + pair_confidence(block, pairs, confidence_floor).log()
        numerator = torch.logaddexp(positive, logsumexp(moved, overwrite=True) + math.log(confidence_weight))
    return torch.logaddexp(positive, negatives) - numerator


@torch.no_grad()
def pair_confidence(block: Block, pairs: Pairs, floor: float) -> Tensor:
    r"""Return a confidence per pair that grows with the pair's cosine, up to that of the positive.

    .. math:: \alpha_{ij} / \alpha = \min\Big(1, \max\Big(0, \frac{c_{ij} - floor}{c_{ip} - floor}\Big)\Big)

    A pair at the floor stays a negative; a pair as similar as the anchor's two views moves by the full alpha. Where the
    positive itself is not above the floor, only pairs above it move, by the full alpha. This is our addition to FALSE.
    Like alpha, the confidence is a constant for the gradient.

    Args:
        block: Anchors against all columns.
        pairs: F(i).
        floor: A cosine in [-1, 1].

    Returns:
        alpha_ij / alpha, shape of ``pairs.chosen``; 0 where no pair is chosen.
    """
    cosines = torch.where(pairs.chosen, pairs.of(block.logits) * block.temperature, -torch.inf)
    span = (block.positive_logits * block.temperature - floor).clamp(min=torch.finfo(cosines.dtype).tiny)
    return ((cosines - floor) / span).clamp(0, 1)
