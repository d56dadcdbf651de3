"""False-negative confidence calibration (FNCC): determined pairs count as positives by a share alpha."""

import math

import torch
from torch import Tensor

from .comparison import Block
from .logsumexp import logsumexp, logsumexp_and_some
from .pairs import Pairs


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
