"""batch_nearest: the pairs of the whole batch that resemble each other most like a positive pair."""

from collections.abc import Callable

import torch
from torch import Tensor

from ..comparison import Block, Comparison
from ..pairs import Pairs
from ..processes import minimum_over_processes
from .distances import gaps, log_distances
from .registry import DETERMINATIONS, Determination


@torch.no_grad()
def batch_nearest(comparison: Comparison) -> Callable[[Block], Pairs]:
    """The ordered pairs (i, j in Neg(i)) that attain the minimum of |e_ij - e_ip| over the whole batch.

    Usually that is one pair. (j, i) joins only if it attains the minimum itself. All pairs that attain it join: in a
    batch of exactly equal rows that is everybody, so a dead head costs nothing at alpha 1.

    Args:
        comparison: Anchors and columns; with a queue the batch is all queries, and j is in the queue.

    Returns:
        The function that determines the pairs of a block. Invariant to permuting images, swapping views and rotating.
    """
    nearest = torch.cat([row_minimum(block) for block in comparison.blocks()])
    attained = nearest == least(nearest, comparison)
    return lambda block: pairs_at_minimum(block, attained)


def row_minimum(block: Block) -> Tensor:
    """The smallest log |e_ij - e_ip| of every anchor over the block's negatives, shape (B, 1)."""
    above, below = gaps(block.logits, block.positive_logits)
    distances = log_distances(above.amin(1, keepdim=True), below.amin(1, keepdim=True), block.positive_logits)
    return torch.minimum(*distances)


def least(values: Tensor, comparison: Comparison) -> Tensor:
    """The smallest of some values of all anchors of the batch, a 0-d tensor."""
    return minimum_over_processes(values.min()) if comparison.spread else values.min()


def pairs_at_minimum(block: Block, attained: Tensor) -> Pairs:
    """All pairs of a block that attain their anchor's minimum, of anchors of which that is the batch's.

    Args:
        block: Anchors; what may not be determined is -inf.
        attained: True where an anchor attains the minimum of the batch, shape (R, 1).
    """
    attained = attained[block.anchors]
    if not attained.any():  # true of nearly every block: waiting for the device here saves all that follows
        return Pairs.none(block.logits)
    above, below = gaps(block.logits, block.positive_logits)
    up, down = above.amin(1, keepdim=True), below.amin(1, keepdim=True)
    upper, lower = log_distances(up, down, block.positive_logits)
    nearest = torch.minimum(upper, lower)
    chosen = ((above == up) & (upper == nearest)) | ((below == down) & (lower == nearest))
    return Pairs(chosen & attained & (block.logits > -torch.inf))


@DETERMINATIONS.register_module(name='batch_nearest')
class BatchNearest(Determination):
    """:func:`batch_nearest` as a registered module."""

    def prepare(self, comparison: Comparison) -> Callable[[Block], Pairs]:
        return batch_nearest(comparison)
