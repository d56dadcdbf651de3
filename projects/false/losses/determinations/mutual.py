"""mutual: pairs that are among each other's most similar negatives."""

from collections.abc import Callable

import torch

from projects.false.common.errors import check_count

from ..comparison import Block, Comparison
from ..distributed import gather_views
from .base import DETERMINATIONS, Determination, Pairs
from .search import largest


@DETERMINATIONS.register_module(name='mutual')
class Mutual(Determination):
    r"""Determine the pairs in which each row is among the other's ``k`` most similar negatives.

    .. math:: F(i) = \{ j \in top_k(i) : i \in top_k(j) \}, \quad
        top_k(i) = \operatorname{argmax}^{(k)}_{j \in Neg(i)} c_{ij}

    Cost: all logits are computed once more, with a partial sort of every row; several processes exchange k column
    numbers per row.

    Args:
        k: Number of neighbours per row, at least 1 and far below the number of negatives.

    Raises:
        InputError: ``k`` is not a positive integer, or the rule is used with a queue.
    """

    in_batch_only = True

    def __init__(self, k: int = 5) -> None:
        check_count('k of determination mutual', k)
        self.k = k

    def prepare(self, comparison: Comparison) -> Callable[[Block], Pairs]:
        """Find the neighbours of all rows; return the function that looks up the pairs of a block."""
        if comparison.images is None:
            self.check_queue()
        found = []
        for block in comparison.blocks():
            logits, columns = largest(block.logits, self.k)
            found.append(columns.masked_fill_(logits == -torch.inf, -1))
        neighbours = torch.cat(found)
        all_neighbours = gather_views(neighbours) if comparison.distributed else neighbours
        device = neighbours.device
        rows = torch.cat([torch.arange(first, first + length, device=device) for _, first, length in comparison.runs])
        # In a row with fewer than k negatives, -1 looks up the last row; the second condition discards the result.
        chosen = (all_neighbours[neighbours] == rows[:, None, None]).any(2) & (neighbours >= 0)
        neighbours.clamp_(min=0)
        return lambda block: Pairs(chosen[block.anchors], neighbours[block.anchors])
