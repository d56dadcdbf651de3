"""oracle: false negatives by label, for analysis and upper bounds only."""

from collections.abc import Callable

import torch

from projects.false.errors import InputError

from ..comparison import Block, Comparison
from ..pairs import Pairs
from .registry import DETERMINATIONS, Determination


@torch.no_grad()
def oracle(comparison: Comparison) -> Callable[[Block], Pairs]:
    """Every negative whose label is the anchor's.

    Returns:
        The function that determines the pairs of a block.

    Raises:
        InputError: There are no labels.
    """
    if comparison.labels is None:
        needed = 'labels' if comparison.images is not None else 'labels and queue_labels'
        raise InputError(
            f'determination oracle needs {needed}: call the loss with them, or give every data sample its land_cover'
        )
    rows, columns = comparison.labels
    return lambda block: Pairs((rows[block.anchors, None] == columns) & (block.logits > -torch.inf))


@DETERMINATIONS.register_module(name='oracle')
class Oracle(Determination):
    """:func:`oracle` as a registered module."""

    def prepare(self, comparison: Comparison) -> Callable[[Block], Pairs]:
        return oracle(comparison)
