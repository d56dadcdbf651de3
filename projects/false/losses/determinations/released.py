"""released: what the published code of FALSE computes, with both of its regimes."""

import math
from collections.abc import Callable

import torch

from ..comparison import Block, Comparison
from .base import DETERMINATIONS, Determination, Pairs, refuse_queue
from .batch_nearest import least, pairs_at_minimum, row_minimum

RELEASED_SENTINEL = 3.0
"""What the released code writes where it does not look; a distance in units of e_ij = exp(s_ij)."""


@torch.no_grad()
def released(comparison: Comparison) -> Callable[[Block], Pairs]:
    """The rule of the released code.

    d_ij = |e_ij - e_ip| for the candidates j > i and the constant 3 everywhere else; all entries equal to min(d) that
    are negatives are determined. Usually that is one pair, in one direction. Where every candidate is further than 3
    from its positive, the constant itself is the minimum and the whole lower triangle is determined.

    Returns:
        The function that determines the pairs of a block. Depends on the order of the rows.

    Raises:
        InputError: The columns are a queue.
    """
    refuse_queue('released', comparison, 'compares the rows of a batch by their order')
    nearest = torch.cat([row_minimum(candidates(block)) for block in comparison.blocks(later_columns=True)])
    minimum = least(nearest, comparison)
    if minimum < math.log(RELEASED_SENTINEL):
        return lambda block: pairs_at_minimum(block, nearest == minimum, later=True)
    return earlier_rows


def candidates(block: Block) -> Block:
    """Keep the columns after each anchor, of a block whose column 0 is its first anchor; in place."""
    square = block.logits[:, : len(block.logits)]
    square.masked_fill_(torch.ones_like(square, dtype=torch.bool).tril_(), -torch.inf)
    return block


def earlier_rows(block: Block) -> Pairs:
    """All negatives that come before the anchor in the batch."""
    chosen = torch.ones_like(block.logits, dtype=torch.bool).tril_(block.first - 1)
    block.comparison.fill_own(chosen, block.first, False)
    return Pairs(chosen)


@DETERMINATIONS.register_module(name='released')
class Released(Determination):
    """:func:`released` as a registered module."""

    in_batch_only = True

    def prepare(self, comparison: Comparison) -> Callable[[Block], Pairs]:
        return released(comparison)
