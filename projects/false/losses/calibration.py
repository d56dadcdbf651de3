"""False-negative confidence calibration (FNCC): determined pairs count as positives by a share alpha."""

import math

import torch
from torch import Tensor

from .similarity import Similarities


def calibrated_cross_entropy(similarities: Similarities, determined: Tensor | None, confidence_weight: float) -> Tensor:
    r"""Calibrated cross entropy, one value an anchor.

    Moving a share alpha of a determined pair from the negatives to the positives leaves their sum as it is, so only the
    numerator of NT-Xent changes:

    .. math:: L_i = \log \sum_{j \ne i} e_{ij} - \log \Big( e_{ip} + \alpha \sum_{j \in F(i)} e_{ij} \Big)

    Args:
        similarities: Rows against columns.
        determined: F, shape (R, C), bool, a subset of the negatives; a constant for the gradient. None if empty.
        confidence_weight: alpha in [0, 1].

    Returns:
        L_i, shape (R,). Computed in log space: finite whatever the temperature.
    """
    logits, positive = similarities.logits, similarities.positive_logits
    negatives = logits.masked_fill(~similarities.negatives, -torch.inf)
    denominator = torch.cat([positive, negatives], dim=1).logsumexp(dim=1)
    if determined is None or confidence_weight == 0:
        return denominator - positive.squeeze(1)
    moved = logits.masked_fill(~determined, -torch.inf) + math.log(confidence_weight)
    return denominator - torch.cat([positive, moved], dim=1).logsumexp(dim=1)
