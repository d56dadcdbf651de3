"""Which pairs of views really share their land cover, by two criteria.

Shapes: row_classes (R, classes) and column_classes (C, classes) are pixel counts; results are (R, C), bool.
"""

import torch
from torch import Tensor

from projects.false.losses.determinations.oracle import share_overlap

CRITERIA = ('dominant', 'overlap')
UNLABELLED = -1


def dominant_class(classes: Tensor) -> Tensor:
    """The class that most labelled pixels have, shape (N,), the lowest of equal ones; -1 without a labelled pixel."""
    return torch.where(classes.sum(1) > 0, classes.argmax(1), UNLABELLED)


def judged(row_classes: Tensor, column_classes: Tensor) -> Tensor:
    """Pairs of which both views have labelled pixels; the others are not counted."""
    return (row_classes.sum(1) > 0)[:, None] & (column_classes.sum(1) > 0)


def same_dominant(row_classes: Tensor, column_classes: Tensor) -> Tensor:
    """Pairs with one dominant class; views without a label share nothing."""
    rows, columns = dominant_class(row_classes), dominant_class(column_classes)
    return (rows[:, None] == columns) & judged(row_classes, column_classes)


def histogram_overlap(row_classes: Tensor, column_classes: Tensor) -> Tensor:
    """Share of the labelled pixels that two views have in common, class by class: sum_c min(h_ic, h_jc).

    Returns:
        Shape (R, C), float32 in [0, 1]; 0 for views without a label.
    """
    return share_overlap(*(n / n.sum(1, keepdim=True).clamp(min=1) for n in (row_classes, column_classes)))


def truth(row_classes: Tensor, column_classes: Tensor, level: float) -> dict[str, Tensor]:
    """Pairs that share their land cover, by criterion; ``overlap`` is an overlap above ``level``."""
    return {
        'dominant': same_dominant(row_classes, column_classes),
        'overlap': histogram_overlap(row_classes, column_classes) > level,
    }
