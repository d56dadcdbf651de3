"""batch_nearest: the pairs of the whole batch that resemble each other most like a positive pair."""

from collections.abc import Callable

import torch
from torch import Tensor

from ..comparison import Block, Comparison
from ..distributed import minimum_over_processes
from .base import DETERMINATIONS, Determination, Pairs
from .search import gaps_above, gaps_below, log_distances


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
    above = gaps_above(block.logits, block.positive_logits).amin(1, keepdim=True)
    below = gaps_below(block.logits, block.positive_logits).amin(1, keepdim=True)
    return torch.minimum(*log_distances(above, below, block.positive_logits))


def least(values: Tensor, comparison: Comparison) -> Tensor:
    """The smallest of some values of all anchors of the batch, a 0-d tensor."""
    return minimum_over_processes(values.min()) if comparison.spread else values.min()


def pairs_at_minimum(block: Block, attained: Tensor, later: bool = False) -> Pairs:
    """All pairs of a block that attain their anchor's minimum, of anchors of which that is the batch's.

    Args:
        block: Anchors against all columns.
        attained: True where an anchor attains the minimum of the batch, shape (R, 1).
        later: Of an anchor only the columns after itself count.
    """
    # There are few such anchors, usually one in the batch: knowing which is worth waiting for the device.
    anchors = attained[block.anchors, 0].nonzero()[:, 0]
    if len(anchors) == 0:
        return Pairs.none(block.logits)
    logits, positive_logits = block.logits[anchors], block.positive_logits[anchors]
    if later:
        place = torch.arange(logits.shape[1], device=logits.device)
        logits.masked_fill_(place <= (block.first + anchors)[:, None], -torch.inf)
    above, below = gaps_above(logits, positive_logits), gaps_below(logits, positive_logits)
    up, down = above.amin(1, keepdim=True), below.amin(1, keepdim=True)
    upper, lower = log_distances(up, down, positive_logits)
    nearest = torch.minimum(upper, lower)
    found = ((above == up) & (upper == nearest)) | ((below == down) & (lower == nearest))
    found &= logits > -torch.inf
    chosen, columns = found.to(torch.uint8).topk(int(found.sum(1).max()), dim=1)
    pairs = Pairs.none(block.logits, chosen.shape[1])
    pairs.chosen[anchors], pairs.columns[anchors] = chosen.bool(), columns
    return pairs


@DETERMINATIONS.register_module(name='batch_nearest')
class BatchNearest(Determination):
    """:func:`batch_nearest` as a registered module."""

    def prepare(self, comparison: Comparison) -> Callable[[Block], Pairs]:
        return batch_nearest(comparison)
