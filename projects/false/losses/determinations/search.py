"""Search rows of logits: the k largest or smallest, and distances without the exponentials."""

import torch
import torch.nn.functional as F
from torch import Tensor


def largest(values: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The k largest of every row in descending order, and their columns; fewer where the row is shorter.

    Args:
        values: Shape (B, C).
        k: At least 1.

    Returns:
        Values and columns, both (B, min(k, C)). Of equal values any may come first, but -inf has no certain column.
    """
    columns = values.shape[1]
    k = min(k, columns)
    if k == 1:
        return values.max(1, keepdim=True)
    if not values.is_cuda and columns < 64 * k:
        # From 64 columns a value on PyTorch sorts in part, which at k = 10 is several times faster.
        found, places = F.pad(values, (0, 64 * k - columns), value=-torch.inf).topk(k, dim=1)
        return found, places.clamp_(max=columns - 1)
    return values.topk(k, dim=1)


def smallest(values: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The k smallest of every row in ascending order, and their columns, as :func:`largest`; inf has no column."""
    if k == 1:
        return values.min(1, keepdim=True)
    found, places = largest(values.neg(), k)
    return found.neg_(), places


def gaps_above(logits: Tensor, positive_logits: Tensor) -> Tensor:
    """s_ij - s_ip where it is at least 0; infinity elsewhere.

    Args:
        logits: s_ij, -inf for what is no negative, shape (B, C).
        positive_logits: s_ip, shape (B, 1).

    Returns:
        Shape (B, C).
    """
    # A threshold takes a fraction of the time of a mask; -1e-30 lets an exact 0, and nothing else, pass as well.
    return F.threshold_(logits - positive_logits, -1e-30, torch.inf)


def gaps_below(logits: Tensor, positive_logits: Tensor) -> Tensor:
    """s_ip - s_ij where it is positive; infinity elsewhere. Arguments as of :func:`gaps_above`."""
    return F.threshold_(positive_logits - logits, 0.0, torch.inf)


def log_distances(above: Tensor, below: Tensor, positive_logits: Tensor) -> tuple[Tensor, Tensor]:
    """log |e_ij - e_ip| of gaps above and below; infinity where there is none, -inf where the two are equal."""
    upper = positive_logits + above + torch.log(-torch.expm1(-above))
    lower = positive_logits + torch.log(-torch.expm1(-below))
    return upper, lower.masked_fill(below.isinf(), torch.inf)
