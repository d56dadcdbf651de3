"""Probe frozen features by k nearest neighbours and by logistic regression, and score the predictions."""

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, normalize


@torch.no_grad()
def knn_predict(
    known: Tensor,
    labels: Tensor,
    features: Tensor,
    classes: int,
    neighbours: int = 20,
    temperature: float = 0.07,
    leave_one_out: bool = False,
) -> Tensor:
    """Predict classes by a vote of the nearest neighbours, each with weight exp(cosine / temperature).

    Args:
        known: Features with labels, normalised or not, shape (M, D).
        labels: Classes of ``known``, in [0, C), shape (M,).
        features: Features whose classes are predicted, shape (N, D).
        classes: C, the number of classes.
        neighbours: Number of neighbours that vote, at least 1; fewer where fewer are known.
        temperature: Above 0.
        leave_one_out: ``features`` equals ``known``, and no row votes for itself.

    Returns:
        Classes, shape (N,); the lowest class wins a tie.
    """
    cosines = normalize(features.float(), dim=1) @ normalize(known.float(), dim=1).T
    if leave_one_out:
        cosines.fill_diagonal_(-torch.inf)
    values, indices = cosines.topk(min(neighbours, len(known) - leave_one_out), dim=1)
    votes = torch.zeros(len(features), classes, device=features.device)
    # Relative to the nearest neighbour, since exp(1 / temperature) itself is large.
    votes.scatter_add_(1, labels[indices], ((values - values[:, :1]) / temperature).exp())
    return votes.argmax(1)


def linear_predict(
    known: Tensor, labels: Tensor, features: Tensor, classes: int, decay: float = 1e-3, steps: int = 100
) -> Tensor:
    """Fit a logistic regression to labelled features and predict the classes of others.

    Dimensions are standardised by the labelled features. L-BFGS fits the weights from zero, so that nothing is drawn.

    Args:
        known: Features with labels, shape (M, D).
        labels: Classes of ``known``, in [0, C), shape (M,).
        features: Features whose classes are predicted, shape (N, D).
        classes: C, the number of classes.
        decay: Weight of half the squared norm of the weights, at least 0.
        steps: L-BFGS iterations, at least 1.

    Returns:
        Classes, shape (N,).
    """
    mean, std = known.float().mean(0), known.float().std(0, unbiased=False).clamp(min=1e-6)
    known, features = (known.float() - mean) / std, (features.float() - mean) / std
    weight = torch.zeros(classes, known.shape[1], device=known.device, requires_grad=True)
    bias = torch.zeros(classes, device=known.device, requires_grad=True)
    optimizer = torch.optim.LBFGS([weight, bias], max_iter=steps, line_search_fn='strong_wolfe')

    def cost() -> Tensor:
        optimizer.zero_grad()
        value = cross_entropy(known @ weight.T + bias, labels) + decay / 2 * weight.square().sum()
        value.backward()
        return value

    with torch.enable_grad():
        optimizer.step(cost)
    return (features @ weight.T + bias).detach().argmax(1)


def accuracies(predicted: Tensor, labels: Tensor, classes: int) -> tuple[float, float]:
    """Return the accuracy and its mean over the classes, both in percent.

    The mean over classes (balanced accuracy) weighs a rare class like a common one. Absent classes do not count.

    Shape:
        - predicted, labels: (N,), N at least 1
    """
    right = (predicted == labels).double()
    counts = torch.bincount(labels, minlength=classes)
    hits = torch.bincount(labels, weights=right, minlength=classes)
    present = counts > 0
    return 100 * float(right.mean()), 100 * float((hits[present] / counts[present]).mean())
