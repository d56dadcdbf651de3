"""How many predicted classes are right."""

import torch
from torch import Tensor


def accuracies(predicted: Tensor, labels: Tensor, classes: int) -> tuple[float, float]:
    """Accuracy, and its mean over the classes, in percent.

    The mean over classes (balanced accuracy) weighs a rare class like a common one; absent classes do not count.

    Shape:
        - predicted, labels: (N,), N at least 1.
    """
    right = (predicted == labels).double()
    counts = torch.bincount(labels, minlength=classes)
    hits = torch.bincount(labels, weights=right, minlength=classes)
    present = counts > 0
    return 100 * float(right.mean()), 100 * float((hits[present] / counts[present]).mean())
