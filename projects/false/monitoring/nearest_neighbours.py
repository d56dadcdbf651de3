"""kNN probe: the class of a patch by its nearest neighbours among labelled features (Wu et al., arXiv 1805.01978)."""

import torch
from torch import Tensor
from torch.nn.functional import normalize


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
        known: Features with labels, any length, shape (M, D).
        labels: Their classes, shape (M,).
        features: What to predict, shape (N, D).
        classes: C, number of classes.
        neighbours: How many vote, at least 1; fewer where fewer are known.
        temperature: Above 0.
        leave_one_out: ``features`` are ``known``, and none votes for itself.

    Returns:
        Classes, shape (N,); of equal votes the lowest class.
    """
    cosines = normalize(features.float(), dim=1) @ normalize(known.float(), dim=1).T
    if leave_one_out:
        cosines.fill_diagonal_(-torch.inf)
    values, places = cosines.topk(min(neighbours, len(known) - leave_one_out), dim=1)
    votes = torch.zeros(len(features), classes, device=features.device)
    # Relative to the nearest one: exp(1 / temperature) itself is large.
    votes.scatter_add_(1, labels[places], ((values - values[:, :1]) / temperature).exp())
    return votes.argmax(1)
