"""released: the pairs that the published code of FALSE picks, in both of its regimes."""

import math
from collections.abc import Callable

import torch

from ..comparison import Block, Comparison
from .base import DETERMINATIONS, Determination, Pairs
from .batch_nearest import batch_minimum, nearest_distances, pairs_at_minimum

RELEASED_SENTINEL = 3.0
"""The constant that the released code gives to pairs it does not examine; a distance in units of e_ij = exp(s_ij)."""


@DETERMINATIONS.register_module(name='released')
class Released(Determination):
    r"""Determine what the released code determines, which depends on the order of the rows.

    .. math:: F(i) = \{ j \in Neg(i) : d_{ij} = \min d \}, \quad
        d_{ij} = \lvert e_{ij} - e_{ip} \rvert \text{ for } j > i,\; j \ne p(i), \quad 3 \text{ elsewhere}

    Two regimes follow. Usually a single pair of the batch is determined, in one direction. If every candidate is
    farther than 3 from its positive, the constant itself is the minimum, and the whole lower triangle is determined.

    Cost: the logits after every anchor are computed once more, for the minimum. Each step waits for the device once,
    and several processes exchange one number.

    Raises:
        InputError: The rule is used with a queue.
    """

    in_batch_only = True

    def prepare(self, comparison: Comparison) -> Callable[[Block], Pairs]:
        """Find the minimum of the batch, which decides the regime; return the function from a block to F(i)."""
        if comparison.images is None:
            self.check_queue()
        blocks = comparison.blocks(later_columns=True)
        nearest = torch.cat([nearest_distances(_keep_candidates(block)) for block in blocks])
        minimum = batch_minimum(nearest, comparison)
        if minimum < math.log(RELEASED_SENTINEL):
            return lambda block: pairs_at_minimum(block, nearest == minimum, later_columns=True)
        return _earlier_negatives


def _keep_candidates(block: Block) -> Block:
    """Mask, in place, all columns up to each anchor in a block whose column 0 is its first anchor."""
    square = block.logits[:, : len(block.logits)]
    square.masked_fill_(torch.ones_like(square, dtype=torch.bool).tril_(), -torch.inf)
    return block


def _earlier_negatives(block: Block) -> Pairs:
    """Return all negatives that come before the anchor in the batch."""
    chosen = torch.ones_like(block.logits, dtype=torch.bool).tril_(block.first - 1)
    block.comparison.fill_own(chosen, block.first, False)
    return Pairs(chosen)
