"""Distances |e_ij - e_ip| without the exponentials: which of them is smallest shows in the logits already.

e grows with s, so among the negatives at or above the positive the nearest is the one with the smallest s_ij, and among
those below it the one with the largest. Only these two (or k of each) are compared by distance, in log space. That is
exact where exponentials are not: at a temperature of 0.05 all e_ij of a row can vanish beside e_ip in float32.
"""

import torch
import torch.nn.functional as F
from torch import Tensor


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
