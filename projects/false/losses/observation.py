"""What a loss saw in a batch: numbers for the log that say whether determination works before any label does."""

import math

import torch
from torch import Tensor

from .comparison import Block, Comparison
from .pairs import Pairs


class Observation:
    """Sums over the blocks of a comparison; nothing waits for the device, nothing is differentiated.

    Args:
        comparison: The whole of what is compared.
    """

    def __init__(self, comparison: Comparison) -> None:
        self.comparison = comparison
        zero = comparison.positive_logits.new_zeros(())
        self.open, self.pairs, self.pair_logits, self.queue_logits = zero, zero, zero, zero
        self.gated = False

    @torch.no_grad()
    def add(self, block: Block, pairs: Pairs | None, gate: Tensor | None) -> None:
        """Take note of a block, of its pairs after the gate, and of the gate, shape (B, 1)."""
        if self.comparison.images is None:
            self.queue_logits = self.queue_logits + block.logits.nan_to_num(neginf=0).sum()
        if pairs is not None:
            self.gated = True
            self.open = self.open + gate.sum()
            self.pairs = self.pairs + pairs.chosen.sum()
            # Only negatives are chosen; what is -inf becomes finite, so that a product can leave it out.
            self.pair_logits = self.pair_logits + (
                pairs.of(block.logits).clamp(min=-1e30).mul_(pairs.weights(block.logits.dtype)).sum()
            )

    @torch.no_grad()
    def summary(self) -> dict[str, Tensor]:
        """The numbers, 0-d tensors, by the names that the log has for them.

        ``cosine_positive``, ``cosine_determined`` and ``cosine_negative`` are means over the positives, the determined
        pairs (0 without any) and all other negatives, ``anchors_past_gate`` is a share of the anchors, and
        ``untrained_reference`` is :func:`untrained_loss`. Without a determination only three of them mean something.
        """
        comparison, rows = self.comparison, len(self.comparison.rows)
        positive = comparison.positive_logits.mean() * comparison.temperature
        negatives = comparison.negatives()
        if comparison.images is None:
            all_negatives = self.queue_logits * comparison.temperature
        else:
            # The sum over all pairs of rows is a product of two sums; less each row with itself and its positive.
            own = comparison.rows.square().sum()
            all_negatives = comparison.rows.sum(0) @ comparison.columns.sum(0) - own - positive * rows
        count = negatives.sum() if isinstance(negatives, Tensor) else torch.as_tensor(float(negatives * rows))
        found = self.pair_logits * comparison.temperature
        seen = {
            'cosine_positive': positive,
            'cosine_negative': (all_negatives - found) / (count - self.pairs).clamp(min=1),
            'untrained_reference': untrained_loss(negatives),
        }
        if self.gated:
            seen['anchors_past_gate'] = self.open / rows
            seen['pairs_per_anchor'] = self.pairs / rows
            seen['cosine_determined'] = found / self.pairs.clamp(min=1)
        return seen


def untrained_loss(negatives: Tensor | int) -> Tensor:
    """log(K) of K equally similar candidates, the positive one of them: what NT-Xent costs before training."""
    if isinstance(negatives, Tensor):
        return (1 + negatives).log().mean()
    return torch.tensor(math.log(1 + negatives))
