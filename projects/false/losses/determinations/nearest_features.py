"""nearest_features: the negatives nearest to their anchor in the features of the backbone."""

from collections.abc import Callable

import torch
import torch.nn.functional as F

from projects.false.common.errors import InputError, check_count

from ..comparison import Block, Comparison
from .base import DETERMINATIONS, Determination, Pairs
from .search import largest


@DETERMINATIONS.register_module(name='nearest_features')
class NearestFeatures(Determination):
    r"""Determine the ``k`` negatives whose backbone features are most similar to those of their anchor.

    .. math:: F(i) = \operatorname{argmax}^{(k)}_{j \in Neg(i)} \cos(f_i, f_j)

    with f the globally averaged last map of the backbone, without gradient. Projections forget what the loss does not
    need; features are what fine-tuning gets. Alone the rule finds what the network knows already; it is meant for
    ``all_of``, together with evidence. This is our addition to FALSE.

    Cost: the product of the features, and a partial sort of every row of the block.

    Args:
        k: At least 1.

    Raises:
        InputError: ``k`` is not a positive integer, or there is a queue, which does not remember features.
    """

    reads = ('features',)

    def __init__(self, k: int = 20) -> None:
        check_count('k of determination nearest_features', k)
        self.k = k

    def check_queue(self) -> None:
        """Refuse a queue."""
        raise InputError(
            'determination nearest_features reads features, which a queue does not remember; choose topk for FALSEMoCo'
        )

    def prepare(self, comparison: Comparison) -> Callable[[Block], Pairs]:
        """Return a function that maps a block to F(i), shape (B, min(k, C))."""
        if comparison.images is None:
            self.check_queue()
        known = self.read(comparison, 'features', 'train with FALSE, which finds them itself')
        rows, columns = (F.normalize(features.float(), dim=1) for features in known)

        def pairs(block: Block) -> Pairs:
            with torch.autocast(rows.device.type, enabled=False):
                similar = rows[block.anchors] @ columns.T
            values, nearest = largest(similar.masked_fill_(block.logits == -torch.inf, -torch.inf), self.k)
            return Pairs(values > -torch.inf, nearest)

        return pairs
