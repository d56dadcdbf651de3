"""anchor_nearest: for every anchor the negatives whose similarity is nearest to that of its own two views."""

import numpy as np
import torch
import torch.nn.functional as F

from projects.false.common.errors import check_count, check_range

from ..comparison import Block
from .base import DETERMINATIONS, Determination, Pairs
from .search import gaps_above, gaps_below, log_distances, smallest


@DETERMINATIONS.register_module(name='anchor_nearest')
class AnchorNearest(Determination):
    r"""Determine the ``k`` negatives of every anchor whose e_ij is nearest to e_ip.

    .. math:: F(i) = \operatorname{argmin}^{(k)}_{j \in Neg(i),\; c_{ij} \ge floor} \lvert e_{ij} - e_{ip} \rvert

    It is the minimal interpretation of the paper's figure, which shows a set of false negatives for every anchor. The
    result does not change if images are permuted, views are swapped or the embedding space is rotated.

    Cost: one pass over the block above c_ip and one below; each is a minimum at k = 1 and a partial sort for larger k.

    Args:
        k: Number of negatives per anchor, at least 1; fewer where fewer exist.
        floor: Smallest cosine of a determined pair, in [-1, 1]; None or -1 for no floor.

    Raises:
        InputError: ``k`` is not a positive integer or ``floor`` is outside [-1, 1].
    """

    def __init__(self, k: int = 1, floor: float | None = None) -> None:
        check_count('k of determination anchor_nearest', k)
        if floor is not None:
            check_range('floor (a cosine) of determination anchor_nearest', floor, -1, 1)
        self.k, self.floor = k, floor

    def pairs(self, block: Block) -> Pairs:
        """Return F(i) among at most k columns per anchor, shape (B, min(k, C))."""
        logits = block.logits
        if self.floor is not None and self.floor > -1:  # cosines of -1 may round to less
            kind = np.float64 if logits.dtype == torch.float64 else np.float32
            # F.threshold keeps strictly greater values; the next smaller number lets a cosine at the floor pass.
            below = np.nextafter(kind(self.floor / block.temperature), kind(-np.inf))
            logits = F.threshold(logits, float(below), -torch.inf)
        above, upper = smallest(gaps_above(logits, block.positive_logits), self.k)
        below, lower = smallest(gaps_below(logits, block.positive_logits), self.k)
        # Distances of very dissimilar negatives round to e_ip and tie; a stable sort keeps the most similar first.
        distance, order = torch.cat(log_distances(above, below, block.positive_logits), dim=1).sort(dim=1, stable=True)
        k = min(self.k, logits.shape[1])
        return Pairs(distance[:, :k] < torch.inf, torch.cat([upper, lower], dim=1).gather(1, order[:, :k]))
