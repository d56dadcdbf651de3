"""oracle: false negatives by label, for analysis and upper bounds only."""

from collections.abc import Callable

import torch
from torch import Tensor

from projects.false.common.errors import InputError, check_count, check_range

from ..comparison import Block, Comparison
from .base import DETERMINATIONS, Determination, Pairs
from .search import largest


@torch.no_grad()
def oracle(comparison: Comparison, overlap: float = 0.8, most: int | None = None) -> Callable[[Block], Pairs]:
    """Negatives that share the land cover of their anchor.

    Args:
        comparison: Anchors against their columns, with labels. Two classes are shared if they are the same; two rows
            of shares of classes if they overlap by more than ``overlap``.
        overlap: In [0, 1].
        most: Only so many an anchor, the most similar ones, at least 1: what a rule would find that looks at
            similarities and makes no mistake. None is all of them.

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
        if most is None:
            return Pairs(shared & (block.logits > -torch.inf))
        logits, places = largest(block.logits.masked_fill(~shared, -torch.inf), most)
        return Pairs(logits > -torch.inf, places)

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
        InputError: ``overlap`` is not in [0, 1], or ``most`` no positive integer.
    """

    def __init__(self, overlap: float = 0.8, most: int | None = None) -> None:
        check_range('overlap of determination oracle', overlap, 0, 1)
        if most is not None:
            check_count('most of determination oracle', most)
        self.overlap, self.most = overlap, most

    def prepare(self, comparison: Comparison) -> Callable[[Block], Pairs]:
        return oracle(comparison, self.overlap, self.most)
