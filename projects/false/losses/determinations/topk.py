"""topk: the most similar negatives, as False Negative Cancellation determines them."""

import torch

from projects.false.common.errors import check_count, check_range

from ..comparison import Block
from .base import DETERMINATIONS, Determination, Pairs
from .search import largest


@torch.no_grad()
def topk(block: Block, k: int = 5, floor: float = 0.7) -> Pairs:
    """The ``k`` most similar negatives of every anchor with c_ij > ``floor``.

    False Negative Cancellation takes 10 of them, which suits its own losses. In the FALSE loss collapse costs more than
    orthogonal negatives while alpha * k < exp(1 / tau) - 1, which at temperature 0.5 is 6.4: hence 5.

    Source: Huynh et al., False Negative Cancellation (arXiv 2011.11765), section 3.3, without its support views.

    Args:
        block: Anchors against all columns.
        k: At most so many an anchor, at least 1.
        floor: A cosine in [-1, 1].
    """
    logits, columns = largest(block.logits, k)
    return Pairs((logits * block.temperature > floor) & (logits > -torch.inf), columns)


@DETERMINATIONS.register_module(name='topk')
class TopK(Determination):
    """:func:`topk` as a registered module.

    Raises:
        InputError: ``k`` is not a positive integer or ``floor`` is outside [-1, 1].
    """

    def __init__(self, k: int = 5, floor: float = 0.7) -> None:
        check_count('k of determination topk', k)
        check_range('floor (a cosine) of determination topk', floor, -1, 1)
        self.k, self.floor = k, floor

    def pairs(self, block: Block) -> Pairs:
        return topk(block, self.k, self.floor)
