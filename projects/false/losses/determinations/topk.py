"""topk: the most similar negatives of every anchor, the rule of False Negative Cancellation."""

import torch

from projects.false.common.errors import check_count, check_range

from ..comparison import Block
from .base import DETERMINATIONS, Determination, Pairs
from .search import largest


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
