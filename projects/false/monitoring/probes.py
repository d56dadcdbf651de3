"""Linear probe: multinomial logistic regression on frozen features. Deterministic; draws no random number."""

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy


def linear_predict(
    known: Tensor, labels: Tensor, features: Tensor, classes: int, decay: float = 1e-3, steps: int = 100
) -> Tensor:
    """Fit on labelled features and predict the classes of others.

    Dimensions are standardised by the labelled features; the fit starts at zero and is done by L-BFGS.

    Args:
        known: Features with labels, shape (M, D).
        labels: Their classes, shape (M,).
        features: What to predict, shape (N, D).
        classes: C, number of classes.
        decay: Weight of the squared norm of the weights, at least 0.
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
