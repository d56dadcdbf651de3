"""released: what the published code of FALSE computes, with both of its regimes."""

import math
from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from ..comparison import Block, Comparison
from ..pairs import Pairs
from .batch_nearest import least, pairs_at_minimum, row_minimum
from .registry import DETERMINATIONS, Determination, refuse_queue

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
    later = comparison.blocks(later_columns=True)
    nearest = torch.cat([row_minimum(replace(block, logits=candidates(block.logits, 0))) for block in later])
    sentinel = math.log(RELEASED_SENTINEL)
    minimum = least(nearest, comparison).clamp(max=sentinel)
    attained = nearest == minimum
    if minimum < sentinel:
        return lambda block: pairs_at_minimum(
            replace(block, logits=candidates(block.logits.clone(), block.first)), attained
        )
    return lambda block: Pairs((earlier(block.logits, block.first)) & (block.logits > -torch.inf))


def earlier(logits: Tensor, first: int) -> Tensor:
    """True where the column comes before the anchor in the batch; ``first`` is the column of the first anchor."""
    return torch.ones_like(logits, dtype=torch.bool).tril_(first - 1)


def candidates(logits: Tensor, first: int) -> Tensor:
    """Keep only the columns after the anchor, in place."""
    logits[:, :first] = -torch.inf
    square = logits[:, first : first + len(logits)]
    square.masked_fill_(earlier(square, 1), -torch.inf)
    return logits


@DETERMINATIONS.register_module(name='released')
class Released(Determination):
    """:func:`released` as a registered module."""

    def prepare(self, comparison: Comparison) -> Callable[[Block], Pairs]:
        return released(comparison)
