"""margin: negatives that are almost as similar to the anchor as its positive, or more."""

import torch

from projects.false.common.errors import check_count, check_range

from ..comparison import Block
from .base import DETERMINATIONS, Determination, Pairs
from .search import largest


@torch.no_grad()
def margin(block: Block, width: float = 0.1, max_pairs: int = 5) -> Pairs:
    """Every negative with c_ij >= c_ip - ``width``, the most similar first and at most ``max_pairs`` an anchor.

    Without the bound total collapse would be the best embedding at alpha 1: every negative would be determined. In a
    large batch collapse costs more than orthogonal negatives while alpha * max_pairs < exp(1 / tau) - 1: at temperature
    0.5 that is 6.4.

    Args:
        block: Anchors against all columns.
        width: A difference of cosines in [0, 2].
        max_pairs: At least 1, and far below the number of negatives.
    """
    logits, columns = largest(block.logits, max_pairs)
    return Pairs((logits >= block.positive_logits - width / block.temperature) & (logits > -torch.inf), columns)


@DETERMINATIONS.register_module(name='margin')
class Margin(Determination):
    """:func:`margin` as a registered module.

    Raises:
        InputError: ``margin`` is outside [0, 2] or ``max_pairs`` is not a positive integer.
    """

    def __init__(self, margin: float = 0.1, max_pairs: int = 5) -> None:
        check_range('margin (a difference of cosines) of determination margin', margin, 0, 2)
        check_count('max_pairs of determination margin', max_pairs)
        self.margin, self.max_pairs = margin, max_pairs

    def pairs(self, block: Block) -> Pairs:
        return margin(block, self.margin, self.max_pairs)
