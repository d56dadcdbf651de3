"""mutual: pairs that are among each other's most similar negatives."""

from collections.abc import Callable

import torch

from projects.false.common.errors import check_count

from ..comparison import Block, Comparison
from ..distributed import gather_views
from .base import DETERMINATIONS, Determination, Pairs, refuse_queue
from .search import largest


@torch.no_grad()
def mutual(comparison: Comparison, k: int = 5) -> Callable[[Block], Pairs]:
    """j such that j is among i's ``k`` most similar negatives and i among j's.

    Args:
        comparison: Anchors against the rows of their own batch.
        k: At least 1, and far below the number of negatives.

    Returns:
        The function that determines the pairs of a block.

    Raises:
        InputError: The columns are a queue.
    """
    refuse_queue('mutual', comparison, "asks for the columns' own neighbours")
    found = []
    for block in comparison.blocks():
        logits, columns = largest(block.logits, k)
        found.append(columns.masked_fill_(logits == -torch.inf, -1))
    mine = torch.cat(found)
    everybodys = gather_views(mine) if comparison.spread else mine
    place = torch.cat([torch.arange(first, first + length) for _, first, length in comparison.runs]).to(mine.device)
    chosen = (everybodys[mine] == place[:, None, None]).any(2) & (mine >= 0)
    mine.clamp_(min=0)
    return lambda block: Pairs(chosen[block.anchors], mine[block.anchors])


@DETERMINATIONS.register_module(name='mutual')
class Mutual(Determination):
    """:func:`mutual` as a registered module.

    Raises:
        InputError: ``k`` is not a positive integer.
    """

    in_batch_only = True

    def __init__(self, k: int = 5) -> None:
        check_count('k of determination mutual', k)
        self.k = k

    def prepare(self, comparison: Comparison) -> Callable[[Block], Pairs]:
        return mutual(comparison, self.k)
