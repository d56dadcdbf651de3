"""FALSE: false negative confidence calibration (FNCC) and the loss that uses it."""

import math

import torch
from mmengine.registry import MODELS
from torch import Tensor

from projects.false.common.errors import check_range

from .base import DeterminedLoss
from .comparison import Block
from .determinations.base import Pairs
from .linear_memory import logsumexp, logsumexp_and_some


def calibrated_cross_entropy(
    block: Block, pairs: Pairs | None, confidence_weight: float, confidence_floor: float | None = None
) -> Tensor:
    r"""Calibrated cross entropy, one value an anchor.

    Moving a share alpha of a determined pair from the negatives to the positives leaves their sum as it is, so only the
    numerator of NT-Xent changes:

    .. math:: L_i = \log \sum_{j \ne i} e_{ij} - \log \Big( e_{ip} + \sum_{j \in F(i)} \alpha_{ij} e_{ij} \Big)

    Args:
        block: Anchors against all columns.
        pairs: F(i), a constant for the gradient. None if empty.
        confidence_weight: alpha in [0, 1].
        confidence_floor: The cosine of a pair of no confidence, as of :func:`pair_confidence`. None for
            alpha_ij = alpha.

    Returns:
        L_i, shape (B, 1). Computed in log space: finite whatever the temperature.
    """
    logits, positive = block.logits, block.positive_logits
    if pairs is None or confidence_weight == 0 or pairs.chosen.shape[1] == 0:
        return torch.logaddexp(positive, logsumexp(logits)) - positive
    if pairs.columns is None:
        negatives, moved = logsumexp(logits), logits
    else:
        negatives, moved = logsumexp_and_some(logits, pairs.columns)
    moved = pairs.among(moved, 2 / block.temperature)
    if confidence_floor is not None:
        moved = moved + pair_confidence(block, pairs, confidence_floor).log()
    enhanced = logsumexp(moved) + math.log(confidence_weight)
    return torch.logaddexp(positive, negatives) - torch.logaddexp(positive, enhanced)


@torch.no_grad()
def pair_confidence(block: Block, pairs: Pairs, floor: float) -> Tensor:
    r"""How sure a determination is of each of its pairs: it grows with the pair's cosine, up to that of the positive.

    .. math:: \alpha_{ij} / \alpha = \min\Big(1, \max\Big(0, \frac{c_{ij} - floor}{c_{ip} - floor}\Big)\Big)

    A pair at the floor stays a negative; one as similar as the anchor's two views moves by the whole alpha. Where the
    positive itself is not above the floor, only pairs above it move, by the whole alpha. Ours; a constant for the
    gradient, like alpha.

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


@MODELS.register_module()
class FALSELoss(DeterminedLoss):
    """False-negative-aware contrastive loss (Zhang et al., IEEE GRSL 2022, arXiv 2211.07928).

    Args:
        temperature: tau > 0.
        confidence_weight: alpha in [0, 1], the share of a determined pair that counts as positive. 0 is NT-Xent.
        positive_threshold: T in [-1, 1]. An anchor's false negatives are determined only if the cosine of its own two
            views is at least T.
        determination: How false negatives are picked: a name, or ``dict(type=name, ...)`` with its arguments.
            ``anchor_nearest``, ``margin``, ``topk`` and ``mutual`` look at every anchor, ``batch_nearest`` and
            ``released`` (as the released code does it) at the batch, ``oracle`` at labels.
        gather, chunk_size: As of :class:`ContrastiveLoss`.
        confidence_floor: A cosine in [-1, 1] from which on the confidence in a pair grows, up to alpha for a pair as
            similar as the anchor's two views (:func:`.calibration.pair_confidence`). None: alpha for every pair.

    Shape:
        As of :class:`ContrastiveLoss`.

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
        determination: str | dict = 'anchor_nearest',
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

    def per_anchor(self, block: Block, pairs: Pairs) -> Tensor:
        """L_i, shape (B, 1)."""
        return calibrated_cross_entropy(block, pairs, self.confidence_weight, self.confidence_floor)

    def extra_repr(self) -> str:
        return f'{super().extra_repr()}, confidence_weight={self.confidence_weight}'
