"""oracle: false negatives by label, for analysis and upper bounds only."""

from collections.abc import Callable

import torch
from torch import Tensor

from projects.false.common.errors import InputError, check_count, check_range

from ..comparison import Block, Comparison
from .base import DETERMINATIONS, Determination, Pairs
from .search import largest


@DETERMINATIONS.register_module(name='oracle')
class Oracle(Determination):
    r"""Determine the negatives that share the land cover of their anchor.

    Rows with a single label share their land cover if the labels are equal. Rows with shares of classes h share it if
    the shares overlap by more than ``overlap``:

    .. math:: F(i) = \{ j \in Neg(i) : \sum_c \min(h_{ic}, h_{jc}) > overlap \}

    Cost: for shares of classes, one pass over the block per class; with ``most``, a partial sort of every row.

    Args:
        overlap: In [0, 1].
        most: Largest number of pairs per anchor, at least 1, the most similar first. A rule that looks at similarities
            and makes no mistake finds the same pairs. None takes all pairs.

    Raises:
        InputError: ``overlap`` is not in [0, 1], ``most`` is not a positive integer, or the loss gets no labels.
    """

    def __init__(self, overlap: float = 0.8, most: int | None = None) -> None:
        check_range('overlap of determination oracle', overlap, 0, 1)
        if most is not None:
            check_count('most of determination oracle', most)
        self.overlap, self.most = overlap, most

    def prepare(self, comparison: Comparison) -> Callable[[Block], Pairs]:
        """Check that there are labels; return the function from a block to F(i), shape (B, C) or (B, most)."""
        if comparison.labels is None:
            needed = 'labels' if comparison.images is not None else 'labels and queue_labels'
            raise InputError(
                f'determination oracle needs {needed}: call the loss with them, or give every data sample its '
                'land_cover'
            )
        rows, columns = comparison.labels

        def pairs(block: Block) -> Pairs:
            if rows.ndim == 1:
                shared = rows[block.anchors, None] == columns
            else:
                shared = share_overlap(rows[block.anchors], columns) > self.overlap
            if self.most is None:
                return Pairs(shared & (block.logits > -torch.inf))
            logits, picked = largest(block.logits.masked_fill(~shared, -torch.inf), self.most)
            return Pairs(logits > -torch.inf, picked)

        return pairs


def share_overlap(rows: Tensor, columns: Tensor) -> Tensor:
    r"""Return the overlap of every two mixtures of classes, :math:`\sum_c \min(h_{ic}, h_{jc})`.

    Args:
        rows: Shares of classes, shape (R, classes), each row sums to 1, or to 0 where nothing is labelled.
        columns: Shares of classes as in ``rows``, shape (C, classes).

    Returns:
        Shape (R, C), in [0, 1].
    """
    overlap = rows.new_zeros(len(rows), len(columns))
    for row_share, column_share in zip(rows.T, columns.T, strict=True):  # avoids an array of rows x columns x classes
        overlap += torch.minimum(row_share[:, None], column_share)
    return overlap
