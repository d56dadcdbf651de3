"""batch_nearest: the negatives of the whole batch whose similarity is nearest to that of their anchor's own views."""

from collections.abc import Callable

import torch
from torch import Tensor

from ..comparison import Block, Comparison
from ..distributed import minimum_over_processes
from .base import DETERMINATIONS, Determination, Pairs
from .search import gaps_above, gaps_below, log_distances

PASSED_OVER = 1 << 24
"""Logits of a block that a GPU passes over in less time than it would take to wait for the host."""


@DETERMINATIONS.register_module(name='batch_nearest')
class BatchNearest(Determination):
    r"""Determine the ordered pairs that attain the minimum of abs(e_ij - e_ip) over the whole batch.

    .. math:: F(i) = \{ j \in Neg(i) : d_{ij} = \min_{k,\, l \in Neg(k)} d_{kl} \}, \quad
        d_{ij} = \lvert e_{ij} - e_{ip} \rvert

    Usually that is a single pair: (j, i) joins (i, j) only if it attains the minimum itself. With a queue the batch is
    all queries, and j is in the queue. In a batch of exactly equal rows every pair attains the minimum, so that a dead
    projection head costs nothing at alpha = 1. The result does not change if images are permuted, views are swapped or
    the embedding space is rotated.

    Cost: all logits are computed once more, for the minimum; with several processes one number is exchanged.
    """

    def prepare(self, comparison: Comparison) -> Callable[[Block], Pairs]:
        """Find the minimum of the batch; return the function that finds the pairs of a block that attain it."""
        nearest = torch.cat([nearest_distances(block) for block in comparison.blocks()])
        attained = nearest == batch_minimum(nearest, comparison)
        return lambda block: pairs_at_minimum(block, attained)


def nearest_distances(block: Block) -> Tensor:
    """Return the smallest log abs(e_ij - e_ip) of every anchor over its negatives, shape (B, 1)."""
    above = gaps_above(block.logits, block.positive_logits).amin(1, keepdim=True)
    below = gaps_below(block.logits, block.positive_logits).amin(1, keepdim=True)
    return torch.minimum(*log_distances(above, below, block.positive_logits))


def batch_minimum(values: Tensor, comparison: Comparison) -> Tensor:
    """Return the minimum of ``values``, one per anchor, shape (R, 1), over all processes: a 0-d tensor."""
    return minimum_over_processes(values.min()) if comparison.distributed else values.min()


def pairs_at_minimum(block: Block, attained: Tensor, later_columns: bool = False) -> Pairs:
    """Return all pairs at which anchors attain their minimum, for the anchors whose minimum is that of the batch.

    Args:
        block: Anchors against all columns.
        attained: True for anchors that attain the minimum of the batch, shape (R, 1).
        later_columns: Look only at the columns after the anchor itself.

    Returns:
        F(i) among as many candidate columns as the anchor with the most pairs needs. Usually one block of the batch has
        one candidate per anchor, and all other blocks have none.
    """
    if block.logits.device.type != 'cpu' and block.logits.numel() <= PASSED_OVER:
        return mask_at_minimum(block, attained, later_columns)
    # Few anchors attain the minimum, usually one per batch, so that finding them saves passes over the block.
    anchors = attained[block.anchors, 0].nonzero()[:, 0]
    if len(anchors) == 0:
        return Pairs.none(block.logits)
    found = _nearest_columns(
        block.logits[anchors], block.positive_logits[anchors], block.first + anchors, later_columns
    )
    found_chosen, found_columns = found.to(torch.uint8).topk(int(found.sum(1).max()), dim=1)
    columns = torch.zeros(len(block.logits), found_chosen.shape[1], dtype=torch.long, device=found.device)
    chosen = torch.zeros_like(columns, dtype=torch.bool)
    chosen[anchors], columns[anchors] = found_chosen.bool(), found_columns
    return Pairs(chosen, columns)


def mask_at_minimum(block: Block, attained: Tensor, later_columns: bool = False) -> Pairs:
    """Return the pairs of :func:`pairs_at_minimum` as a mask over all columns, without waiting for the device."""
    rows = block.first + torch.arange(len(block.logits), device=block.logits.device)
    found = _nearest_columns(block.logits.clone(), block.positive_logits, rows, later_columns)
    return Pairs(found & attained[block.anchors])


def _nearest_columns(logits: Tensor, positive_logits: Tensor, rows: Tensor, later_columns: bool) -> Tensor:
    """Return True at the columns that are nearest to each row's positive, bool, shape (B, C); changes the logits."""
    if later_columns:
        column = torch.arange(logits.shape[1], device=logits.device)
        logits.masked_fill_(column <= rows[:, None], -torch.inf)
    above, below = gaps_above(logits, positive_logits), gaps_below(logits, positive_logits)
    least_above, least_below = above.amin(1, keepdim=True), below.amin(1, keepdim=True)
    upper, lower = log_distances(least_above, least_below, positive_logits)
    nearest = torch.minimum(upper, lower)
    found = ((above == least_above) & (upper == nearest)) | ((below == least_below) & (lower == nearest))
    return found & (logits > -torch.inf)
