"""What all contrastive losses share: comparing projections, reducing over anchors, and numbers for the log."""

import math

import torch
from torch import Tensor, nn

from projects.false.common.errors import InputError, check_count, check_range, check_temperature
from projects.false.losses.determinations import build_determination

from .comparison import Block, Comparison, in_batch_comparison, queue_comparison
from .determinations.base import Pairs
from .linear_memory import mean_over_anchors


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


class ContrastiveLoss(nn.Module):
    """Base of losses over two views of a batch, or over queries, keys and a queue.

    A subclass says in :meth:`per_anchor` what an anchor costs. After every call ``seen`` holds what the loss saw, by
    the names of :meth:`.observation.Observation.summary`, for the log.

    Args:
        temperature: tau > 0.
        gather: Compare with the views of all processes of a run, else with this process's own. The mean of the losses
            over processes, and the gradients that DistributedDataParallel averages, are then those of one process with
            the whole batch.
        chunk_size: Anchors that are compared at a time; memory grows with chunk_size times the batch. None chooses a
            size that is fast, which bounds memory as well. The result does not depend on it.

    Shape:
        view1, view2: (N, D) projections, not normalised, row i of both from the same image; with ``queue`` they are
        queries and keys. queue: (K, D), past keys. excluded: (N, K) or (K,), bool, places of the queue that are no
        negatives. labels: (N,), or (2N, classes) for shares of classes of each view; queue_labels: (K,); both for
        determination ``oracle`` alone. Output: scalar, float32 (float64 for float64 input), differentiable once.

    Raises:
        InputError: An argument is out of range, or the shapes do not fit.
    """

    def __init__(self, temperature: float, gather: bool = True, chunk_size: int | None = None) -> None:
        super().__init__()
        check_temperature(type(self).__name__, temperature)
        if chunk_size is not None:
            check_count(f'chunk_size of {type(self).__name__}', chunk_size)
        self.temperature = temperature
        self.gather = gather
        self.chunk_size = chunk_size
        self.seen: dict[str, Tensor] = {}

    def forward(
        self,
        view1: Tensor,
        view2: Tensor,
        queue: Tensor | None = None,
        excluded: Tensor | None = None,
        labels: Tensor | None = None,
        queue_labels: Tensor | None = None,
    ) -> Tensor:
        """Mean of L_i over this process's anchors: 2N rows, or N queries with a queue."""
        comparison = self.compare(view1, view2, queue, excluded, labels, queue_labels)
        observation = Observation(comparison)
        mean = mean_over_anchors(comparison, self.cost(comparison, observation))
        self.seen = observation.summary()
        return mean

    def compare(
        self,
        view1: Tensor,
        view2: Tensor,
        queue: Tensor | None = None,
        excluded: Tensor | None = None,
        labels: Tensor | None = None,
        queue_labels: Tensor | None = None,
    ) -> Comparison:
        """What the inputs of the loss amount to."""
        if queue is None:
            if excluded is not None:
                raise InputError('excluded tells places of a queue and there is no queue; leave it out or give queue=')
            return in_batch_comparison(view1, view2, self.temperature, self.gather, self.chunk_size, labels)
        return queue_comparison(
            view1, view2, queue, self.temperature, excluded, self.gather, self.chunk_size, labels, queue_labels
        )

    def cost(self, comparison: Comparison, observation: Observation):
        """The function from a block to L_i of its anchors, shape (B, 1); it tells the observation what it sees."""

        def cost(block: Block) -> Tensor:
            observation.add(block, None, None)
            return self.per_anchor(block)

        return cost

    def per_anchor(self, block: Block) -> Tensor:
        """L_i, shape (B, 1)."""
        raise NotImplementedError

    def extra_repr(self) -> str:
        return f'temperature={self.temperature}'


class DeterminedLoss(ContrastiveLoss):
    """Base of losses that pick false negatives first; a subclass says in :meth:`per_anchor` what becomes of them.

    Args:
        temperature: tau > 0.
        positive_threshold: T in [-1, 1]. An anchor's false negatives are determined only if the cosine of its own two
            views is at least T.
        determination: How false negatives are picked: a name, or ``dict(type=name, ...)`` with its arguments.
        gather, chunk_size: As of :class:`ContrastiveLoss`.

    Shape:
        As of :class:`ContrastiveLoss`.

    Raises:
        InputError: An argument is out of range, the shapes do not fit, or the determination has no meaning with a
            queue.
    """

    def __init__(
        self,
        temperature: float,
        positive_threshold: float,
        determination: str | dict,
        gather: bool = True,
        chunk_size: int | None = None,
    ) -> None:
        super().__init__(temperature, gather, chunk_size)
        check_range(f'positive_threshold (T, a cosine) of {type(self).__name__}', positive_threshold, -1, 1)
        self.positive_threshold = positive_threshold
        self.determination = build_determination(determination)

    @torch.no_grad()
    def determined(self, *inputs: Tensor, **named: Tensor) -> Tensor:
        """F after the gate for these inputs, bool, shape (R, C): for analysis, as it takes a whole matrix."""
        comparison = self.compare(*inputs, **named)
        pairs = self.determination.prepare(comparison)
        rows = [self._gated(block, pairs(block))[0].mask(len(comparison.columns)) for block in comparison.blocks()]
        return torch.cat(rows)

    def cost(self, comparison: Comparison, observation: Observation):
        determine = self.determination.prepare(comparison)

        def cost(block: Block) -> Tensor:
            pairs, gate = self._gated(block, determine(block))
            observation.add(block, pairs, gate)
            return self.per_anchor(block, pairs)

        return cost

    def _gated(self, block: Block, pairs: Pairs) -> tuple[Pairs, Tensor]:
        gate = block.positive_logits.detach() * self.temperature >= self.positive_threshold
        return pairs.gated(gate), gate

    def per_anchor(self, block: Block, pairs: Pairs) -> Tensor:
        """L_i, shape (B, 1)."""
        raise NotImplementedError

    def extra_repr(self) -> str:
        return (
            f'{super().extra_repr()}, positive_threshold={self.positive_threshold}, '
            f'determination={type(self.determination).__name__}'
        )
