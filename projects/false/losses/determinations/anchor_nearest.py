"""anchor_nearest: the paper's set of false negatives an anchor, as the negatives that resemble it like its positive."""

import torch
import torch.nn.functional as F

from projects.false.common.errors import check_count, check_range

from ..comparison import Block
from .base import DETERMINATIONS, Determination, Pairs
from .search import gaps_above, gaps_below, log_distances, smallest


@torch.no_grad()
def anchor_nearest(block: Block, k: int = 1, floor: float | None = None) -> Pairs:
    """For every anchor the ``k`` negatives whose e_ij is nearest to e_ip.

    Args:
        block: Anchors against all columns.
        k: How many negatives to determine for an anchor, at least 1; fewer where fewer exist.
        floor: Only negatives with c_ij >= floor are determined, in [-1, 1]; None for no floor.

    Returns:
        F(i). Invariant to permuting images, swapping views and rotating the embedding space.
    """
    logits = block.logits
    if floor is not None:
        least = torch.tensor(floor / block.temperature, dtype=logits.dtype)
        logits = F.threshold(logits, torch.nextafter(least, least.new_tensor(-torch.inf)).item(), -torch.inf)
    above, upper = smallest(gaps_above(logits, block.positive_logits), k)
    below, lower = smallest(gaps_below(logits, block.positive_logits), k)
    # A stable sort keeps the most similar first among those so far below that their distance rounds to e_ip.
    distance, order = torch.cat(log_distances(above, below, block.positive_logits), dim=1).sort(dim=1, stable=True)
    k = min(k, logits.shape[1])
    return Pairs(distance[:, :k] < torch.inf, torch.cat([upper, lower], dim=1).gather(1, order[:, :k]))


@DETERMINATIONS.register_module(name='anchor_nearest')
class AnchorNearest(Determination):
    """:func:`anchor_nearest` as a registered module.

    Raises:
        InputError: ``k`` is not a positive integer or ``floor`` is outside [-1, 1].
    """

    def __init__(self, k: int = 1, floor: float | None = None) -> None:
        check_count('k of determination anchor_nearest', k)
        if floor is not None:
            check_range('floor (a cosine) of determination anchor_nearest', floor, -1, 1)
        self.k, self.floor = k, floor

    def pairs(self, block: Block) -> Pairs:
        return anchor_nearest(block, self.k, self.floor)
