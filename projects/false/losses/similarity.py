"""Rows of a batch: which are views of one image, and how similar they are.

Rows are ordered [view 1 of images 0..N-1; view 2 of images 0..N-1]; the positive of row i is p(i) = (i + N) mod 2N and
Neg(i) is every row other than i and p(i).
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from projects.false.errors import InputError


class Similarities(NamedTuple):
    """Everything a determination and a loss need to know about a batch.

    Attributes:
        logits: s_ij = c_ij / temperature, shape (R, C), float32 or float64.
        positive_logits: s_ip, shape (R, 1).
        negatives: True where column j is in Neg(i), shape (R, C).
        candidates: True where j > i and j is in Neg(i), shape (R, C): the half of the pairs that the released code
            looks at.
        temperature: tau.
    """

    logits: Tensor
    positive_logits: Tensor
    negatives: Tensor
    candidates: Tensor
    temperature: float

    @property
    def positive_cosines(self) -> Tensor:
        """c_ip, shape (R, 1), in [-1, 1]."""
        return self.positive_logits * self.temperature


def in_batch_similarities(view1: Tensor, view2: Tensor, temperature: float) -> Similarities:
    """Compare all 2N rows of a batch with each other.

    Args:
        view1: Projections of the first views, not normalised, shape (N, D).
        view2: Projections of the second views, shape (N, D).
        temperature: tau > 0.

    Returns:
        Similarities of 2N rows by 2N columns. Half precision is raised to float32 first, float64 is kept.

    Raises:
        InputError: The shapes differ, are not (N, D), or N is 0.
    """
    if view1.ndim != 2 or view1.shape != view2.shape or len(view1) == 0:
        raise InputError(
            'a contrastive loss takes two views of one shape (N, D) with N >= 1, '
            f'got {tuple(view1.shape)} and {tuple(view2.shape)}'
        )
    rows = torch.cat([view1, view2])
    dtype = torch.promote_types(rows.dtype, torch.float32)
    with torch.autocast(rows.device.type, enabled=False):
        unit = F.normalize(rows.to(dtype), dim=1)
        logits = unit @ unit.T / temperature
    index = torch.arange(len(rows), device=rows.device)
    positive = (index + len(view1)) % len(rows)
    negatives = torch.ones_like(logits, dtype=torch.bool)
    negatives[index, index] = False
    negatives[index, positive] = False
    return Similarities(logits, logits.gather(1, positive[:, None]), negatives, negatives.triu(1), temperature)
