"""oracle: false negatives by label, for analysis and upper bounds only."""

from collections.abc import Callable

import torch
from torch import Tensor

from projects.false.errors import InputError

from ..comparison import Block, Comparison
from ..pairs import Pairs
from ..ranges import check_range
from .registry import DETERMINATIONS, Determination


@torch.no_grad()
def oracle(comparison: Comparison, overlap: float = 0.8) -> Callable[[Block], Pairs]:
    """Every negative that shares the land cover of its anchor.

    Args:
        comparison: Anchors against their columns, with labels. Two classes are shared if they are the same; two rows
            of shares of classes if they overlap by more than ``overlap``.
        overlap: In [0, 1].

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

    def pairs(block: Block) -> Pairs:
        if rows.ndim == 1:
            shared = rows[block.anchors, None] == columns
        else:
            shared = share_overlap(rows[block.anchors], columns) > overlap
        return Pairs(shared & (block.logits > -torch.inf))

    return pairs


def share_overlap(rows: Tensor, columns: Tensor) -> Tensor:
    """What two mixtures of classes have in common, class by class: sum_c min(h_ic, h_jc).

    Args:
        rows: Shares of classes, shape (R, classes), each row with the sum 1, or 0 where nothing is labelled.
        columns: As rows, shape (C, classes).

    Returns:
        Shape (R, C), in [0, 1].
    """
    overlap = rows.new_zeros(len(rows), len(columns))
    for row_share, column_share in zip(rows.T, columns.T, strict=True):  # never an array of rows x columns x classes
        overlap += torch.minimum(row_share[:, None], column_share)
    return overlap


@DETERMINATIONS.register_module(name='oracle')
class Oracle(Determination):
    """:func:`oracle` as a registered module.

    Raises:
        InputError: ``overlap`` is not in [0, 1].
    """

    def __init__(self, overlap: float = 0.8) -> None:
        check_range('overlap of determination oracle', overlap, 0, 1)
        self.overlap = overlap

    def prepare(self, comparison: Comparison) -> Callable[[Block], Pairs]:
        return oracle(comparison, self.overlap)
