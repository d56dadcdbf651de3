"""Search rows of logits: the k largest or smallest values, and distances of exponentials in log space."""

import torch
import torch.nn.functional as F
from torch import Tensor


def largest(values: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Return the k largest values of every row in descending order, and their columns.

    Args:
        values: Shape (B, C).
        k: At least 1.

    Returns:
        Values and columns, both (B, min(k, C)). Equal values come in any order, and the column of -inf is arbitrary.
    """
    columns = values.shape[1]
    k = min(k, columns)
    if k == 1:
        return values.max(1, keepdim=True)
    if not values.is_cuda and columns < 64 * k:
        # From 64 columns per value on, PyTorch uses a partial sort, which is several times faster at k = 10.
        found, indices = F.pad(values, (0, 64 * k - columns), value=-torch.inf).topk(k, dim=1)
        return found, indices.clamp_(max=columns - 1)
    return values.topk(k, dim=1)


def smallest(values: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Return the k smallest values of every row in ascending order, and their columns; see :func:`largest`."""
    if k == 1:
        return values.min(1, keepdim=True)
    found, indices = largest(values.neg(), k)
    return found.neg_(), indices


def gaps_above(logits: Tensor, positive_logits: Tensor) -> Tensor:
    """Return s_ij - s_ip where it is at least 0, infinity elsewhere.

    Args:
        logits: s_ij, -inf where j is not a negative, shape (B, C).
        positive_logits: s_ip, shape (B, 1).

    Returns:
        Shape (B, C).
    """
    # A threshold takes a fraction of the time of a mask; -1e-30 lets an exact 0, and nothing else, pass as well.
    return torch.threshold_(logits - positive_logits, -1e-30, torch.inf)


def gaps_below(logits: Tensor, positive_logits: Tensor) -> Tensor:
    """Return s_ip - s_ij where it is positive, infinity elsewhere; arguments and shape of :func:`gaps_above`."""
    return torch.threshold_(positive_logits - logits, 0.0, torch.inf)


def log_distances(above: Tensor, below: Tensor, positive_logits: Tensor) -> tuple[Tensor, Tensor]:
    """Turn gaps above and below into log abs(e_ij - e_ip), without computing the exponentials.

    Args:
        above: Gaps of :func:`gaps_above`, shape (B, k).
        below: Gaps of :func:`gaps_below`, shape (B, k).
        positive_logits: s_ip, shape (B, 1).

    Returns:
        Distances above and below, both (B, k): infinity where the gap is infinite, -inf where the two are equal.
    """
    upper = positive_logits + above + torch.log(-torch.expm1(-above))
    lower = positive_logits + torch.log(-torch.expm1(-below))
    return upper, lower.masked_fill(below.isinf(), torch.inf)
