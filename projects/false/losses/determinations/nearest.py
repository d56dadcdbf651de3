"""anchor_nearest, margin, topk and mutual: rules that take the negatives nearest to an anchor or to its positive."""

from collections.abc import Callable

import torch
import torch.nn.functional as F

from projects.false.common.errors import check_count, check_range

from ..comparison import Block, Comparison
from ..distributed import gather_views
from .base import DETERMINATIONS, Determination, Pairs
from .search import gaps_above, gaps_below, largest, log_distances, smallest


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
            least = torch.tensor(self.floor / block.temperature, dtype=logits.dtype)
            # F.threshold keeps strictly greater values; the next smaller number lets a cosine at the floor pass.
            logits = F.threshold(logits, torch.nextafter(least, least.new_tensor(-torch.inf)).item(), -torch.inf)
        above, upper = smallest(gaps_above(logits, block.positive_logits), self.k)
        below, lower = smallest(gaps_below(logits, block.positive_logits), self.k)
        # Distances of very dissimilar negatives round to e_ip and tie; a stable sort keeps the most similar first.
        distance, order = torch.cat(log_distances(above, below, block.positive_logits), dim=1).sort(dim=1, stable=True)
        k = min(self.k, logits.shape[1])
        return Pairs(distance[:, :k] < torch.inf, torch.cat([upper, lower], dim=1).gather(1, order[:, :k]))


@DETERMINATIONS.register_module(name='margin')
class Margin(Determination):
    r"""Determine the negatives within a margin of the positive, the most similar first.

    .. math:: F(i) = \{ j \in Neg(i) : c_{ij} \ge c_{ip} - margin \}, \quad \lvert F(i) \rvert \le max\_pairs

    Without the bound, total collapse would be the best embedding at alpha = 1: every negative would be determined. In a
    large batch, collapse costs more than orthogonal negatives while alpha * max_pairs < exp(1 / tau) - 1. At
    temperature 0.5 that is 6.4.

    Cost: a partial sort of every row of the block for its ``max_pairs`` largest logits.

    Args:
        margin: A difference of cosines in [0, 2].
        max_pairs: Largest number of pairs per anchor, at least 1 and far below the number of negatives.

    Raises:
        InputError: ``margin`` is outside [0, 2] or ``max_pairs`` is not a positive integer.
    """

    def __init__(self, margin: float = 0.1, max_pairs: int = 5) -> None:
        check_range('margin (a difference of cosines) of determination margin', margin, 0, 2)
        check_count('max_pairs of determination margin', max_pairs)
        self.margin, self.max_pairs = margin, max_pairs

    def pairs(self, block: Block) -> Pairs:
        """Return F(i) among the most similar columns, shape (B, min(max_pairs, C))."""
        logits, columns = largest(block.logits, self.max_pairs)
        chosen = logits > -torch.inf
        if self.margin < 2:  # no two cosines differ by more, but for rounding
            chosen &= logits >= block.positive_logits - self.margin / block.temperature
        return Pairs(chosen, columns)


@DETERMINATIONS.register_module(name='topk')
class TopK(Determination):
    r"""Determine the ``k`` most similar negatives of every anchor whose cosine is above a floor.

    .. math:: F(i) = \operatorname{argmax}^{(k)}_{j \in Neg(i),\; c_{ij} > floor} c_{ij}

    False Negative Cancellation takes 10 of them, which suits its own losses. In the FALSE loss, collapse costs more
    than orthogonal negatives while alpha * k < exp(1 / tau) - 1. At temperature 0.5 that is 6.4, hence 5.

    Cost: a partial sort of every row of the block for its ``k`` largest logits.

    Source: Huynh et al., False Negative Cancellation (arXiv 2011.11765), section 3.3, without its support views.

    Args:
        k: Largest number of pairs per anchor, at least 1.
        floor: A cosine in [-1, 1]; -1 for no floor.

    Raises:
        InputError: ``k`` is not a positive integer or ``floor`` is outside [-1, 1].
    """

    def __init__(self, k: int = 5, floor: float = 0.7) -> None:
        check_count('k of determination topk', k)
        check_range('floor (a cosine) of determination topk', floor, -1, 1)
        self.k, self.floor = k, floor

    def pairs(self, block: Block) -> Pairs:
        """Return F(i) among the most similar columns, shape (B, min(k, C))."""
        logits, columns = largest(block.logits, self.k)
        chosen = logits > -torch.inf
        if self.floor > -1:  # cosines of -1 may round to less
            chosen &= logits * block.temperature > self.floor
        return Pairs(chosen, columns)


@DETERMINATIONS.register_module(name='mutual')
class Mutual(Determination):
    r"""Determine the pairs in which each row is among the other's ``k`` most similar negatives.

    .. math:: F(i) = \{ j \in top_k(i) : i \in top_k(j) \}, \quad
        top_k(i) = \operatorname{argmax}^{(k)}_{j \in Neg(i)} c_{ij}

    Cost: all logits are computed once more, with a partial sort of every row; several processes exchange k column
    numbers per row.

    Args:
        k: Number of neighbours per row, at least 1 and far below the number of negatives.

    Raises:
        InputError: ``k`` is not a positive integer, or the rule is used with a queue.
    """

    in_batch_only = True

    def __init__(self, k: int = 5) -> None:
        check_count('k of determination mutual', k)
        self.k = k

    def prepare(self, comparison: Comparison) -> Callable[[Block], Pairs]:
        """Find the neighbours of all rows; return the function that looks up the pairs of a block."""
        if comparison.images is None:
            self.check_queue()
        found = []
        for block in comparison.blocks():
            logits, columns = largest(block.logits, self.k)
            found.append(columns.masked_fill_(logits == -torch.inf, -1))
        neighbours = torch.cat(found)
        all_neighbours = gather_views(neighbours) if comparison.distributed else neighbours
        rows = torch.cat([torch.arange(first, first + length) for _, first, length in comparison.runs])
        rows = rows.to(neighbours.device)
        # In a row with fewer than k negatives, -1 looks up the last row; the second condition discards the result.
        chosen = (all_neighbours[neighbours] == rows[:, None, None]).any(2) & (neighbours >= 0)
        neighbours.clamp_(min=0)
        return lambda block: Pairs(chosen[block.anchors], neighbours[block.anchors])
