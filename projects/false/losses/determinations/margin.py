"""margin: the negatives whose similarity to the anchor is at most a margin below that of its positive."""

import torch

from projects.false.common.errors import check_count, check_range

from ..comparison import Block
from .base import DETERMINATIONS, Determination, Pairs
from .search import largest


@DETERMINATIONS.register_module(name='margin')
class Margin(Determination):
    r"""Determine the negatives within a margin of the positive, the most similar first.

    .. math:: F(i) = \{ j \in Neg(i) : c_{ij} \ge c_{ip} - margin \}, \quad \lvert F(i) \rvert \le max\_pairs

    Without the bound, total collapse would be the best embedding at alpha = 1: every negative would be determined. In a
    large batch, collapse costs more than orthogonal negatives while alpha * max_pairs < exp(1 / tau) - 1. At
    temperature 0.5 that is 6.4.

    Cost: a partial sort of every row of the block for its ``max_pairs`` largest logits.

    Args:
        margin: A difference of cosines in [0, 2].
        max_pairs: Largest number of pairs per anchor, at least 1 and far below the number of negatives.

    Raises:
        InputError: ``margin`` is outside [0, 2] or ``max_pairs`` is not a positive integer.
    """

    def __init__(self, margin: float = 0.1, max_pairs: int = 5) -> None:
        check_range('margin (a difference of cosines) of determination margin', margin, 0, 2)
        check_count('max_pairs of determination margin', max_pairs)
        self.margin, self.max_pairs = margin, max_pairs

    def pairs(self, block: Block) -> Pairs:
        """Return F(i) among the most similar columns, shape (B, min(max_pairs, C))."""
        logits, columns = largest(block.logits, self.max_pairs)
        chosen = logits > -torch.inf
        if self.margin < 2:  # cosines differ by at most 2, except for rounding
            chosen &= logits >= block.positive_logits - self.margin / block.temperature
        return Pairs(chosen, columns)
