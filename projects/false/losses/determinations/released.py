"""released: the pairs that the published code of FALSE picks, in both of its regimes."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from ..comparison import Block, Comparison
from .base import DETERMINATIONS, Determination, Pairs
from .batch_nearest import PASSED_OVER, batch_minimum, mask_at_minimum, nearest_distances, pairs_at_minimum

RELEASED_SENTINEL = 3.0
"""The constant that the released code gives to pairs it does not examine; a distance in units of e_ij = exp(s_ij)."""


@DETERMINATIONS.register_module(name='released')
class Released(Determination):
    r"""Determine the pairs that the released code determines, in its nearest and in its sentinel regime.

    The released code compares every row with the later rows of the batch only. It writes the constant 3 everywhere
    else, and determines all negatives at the minimum of the whole matrix:

    .. math:: d_{ij} = \begin{cases} \lvert e_{ij} - e_{ip} \rvert & j > i,\; j \ne p(i) \\
        3 & \text{elsewhere} \end{cases}, \quad
        F(i) = \{ j \in Neg(i) : d_{ij} = \min_{k,\, l} d_{kl} \}

    Two regimes follow:

    - *nearest*: some later negative is closer than 3. F holds the pairs at the smallest distance, usually a single one
      in the batch and in one direction only: the anchor is the earlier row.
    - *sentinel*: all later negatives of all rows are farther than 3, so that the constant is the minimum. Then
      :math:`F(i) = \{ j \in Neg(i) : j < i \}`, which makes 2N(N - 1) pairs of N images, half of all. If both views of
      every image coincide, this happens when no negative exceeds the cosine tau * log(exp(1 / tau) - 3): 0.74 at
      temperature 0.5, 0.996 at 0.2. It is a side effect of the constant, but the released loss computes it.

    The gate c_ip >= T comes last: an anchor below T can hold the minimum, and then nothing is determined in the nearest
    regime. The result depends on the order of the rows, so it changes if images are permuted or views are swapped.

    Cost: the logits after every anchor are computed once more, for the minimum. From 4,096 rows on a GPU, each step
    waits for the device; several processes exchange one number.

    Raises:
        InputError: The rule is used with a queue.

    Example:
        Two orthogonal images with equal views are in the sentinel regime: three of the four rows get pairs.

        >>> import torch
        >>> from projects.false import FALSELoss
        >>> loss = FALSELoss(temperature=0.5, determination='released')
        >>> round(loss(torch.eye(2), torch.eye(2)).item(), 4)
        0.1162
    """

    in_batch_only = True

    def prepare(self, comparison: Comparison) -> Callable[[Block], Pairs]:
        """Find the minimum of the batch, which decides the regime; return a function that maps a block to F(i)."""
        if comparison.images is None:
            self.check_queue()
        blocks = comparison.blocks(later_columns=True)
        nearest = torch.cat([nearest_distances(_keep_candidates(block)) for block in blocks])
        minimum = batch_minimum(nearest, comparison)
        if nearest.device.type != 'cpu' and len(comparison.rows) * len(comparison.columns) <= PASSED_OVER:
            return lambda block: _of_either_regime(block, nearest, minimum)
        if minimum < math.log(RELEASED_SENTINEL):
            return lambda block: pairs_at_minimum(block, nearest == minimum, later_columns=True)
        return _earlier_negatives


def _of_either_regime(block: Block, nearest: Tensor, minimum: Tensor) -> Pairs:
    """Return F(i) as a mask over all columns; the device decides the regime, and nothing waits for it."""
    at_minimum = mask_at_minimum(block, nearest == minimum, later_columns=True).chosen
    return Pairs(torch.where(minimum < math.log(RELEASED_SENTINEL), at_minimum, _earlier_negatives(block).chosen))


def _keep_candidates(block: Block) -> Block:
    """Mask, in place, all columns up to each anchor in a block whose column 0 is its first anchor."""
    square = block.logits[:, : len(block.logits)]
    square.masked_fill_(torch.ones_like(square, dtype=torch.bool).tril_(), -torch.inf)
    return block


def _earlier_negatives(block: Block) -> Pairs:
    """Return all negatives that come before the anchor in the batch."""
    chosen = torch.ones_like(block.logits, dtype=torch.bool).tril_(block.first - 1)
    block.comparison.fill_own(chosen, block.first, False)
    return Pairs(chosen)
