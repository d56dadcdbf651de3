"""Base classes of all contrastive losses: one ignores false negatives, the other determines them first."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch._compile import _disable_dynamo  # torch.compiler.disable would import the compiler at once

from projects.false.common.errors import InputError, check_count, check_range, check_temperature

from .comparison import Block, Comparison, in_batch_comparison, queue_comparison
from .determinations import build_determination
from .determinations.base import Pairs
from .linear_memory import mean_over_anchors


class ContrastiveLoss(nn.Module):
    """Base of losses over two views of a batch, or over queries, keys and a queue.

    A subclass implements :meth:`per_anchor`, the loss of every anchor of a block. After every call ``seen`` holds the
    numbers for the log, named as in :meth:`Observation.summary`.

    Args:
        temperature: tau > 0.
        gather: Compare with the views of all processes of a run; False compares with those of this process alone. With
            True, the mean of the losses over processes, and the gradients that DistributedDataParallel averages, equal
            those of one process with the whole batch.
        chunk_size: Anchors per block; memory grows with chunk_size times the batch. None chooses a fast size that still
            bounds memory. The result does not depend on it.

    Shape:
        - view1, view2: (N, D) projections, not normalised, row i of both from the same image; with ``queue`` they are
          queries and keys
        - queue: (K, D), past keys
        - excluded: (N, K) or (K,), bool, True at queue slots that are not negatives
        - labels: (N,), or shares of classes, (2N, classes) of all views or (N, classes) of the queries; only for
          determination ``oracle``
        - queue_labels: (K,) or (K, classes); only for determination ``oracle``
        - evidence: what each view shows, (2N, kinds), or (N, kinds) of the queries; only for determination ``evidence``
        - queue_evidence: (K, kinds); only for determination ``evidence``
        - place: raster, top, left, bottom and right of each view, (2N, 5), or (N, 5) of the queries; only for
          determinations ``place`` and ``other_place``
        - queue_place: (K, 5); only for determinations ``place`` and ``other_place``
        - features: (2N, channels); only for determination ``nearest_features``
        - output: scalar, float32 (float64 for float64 input), differentiable once

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

    # Every block is differentiated as soon as it is computed, so a compiler has nothing to fuse across blocks.
    @_disable_dynamo
    def forward(
        self,
        view1: Tensor,
        view2: Tensor,
        queue: Tensor | None = None,
        excluded: Tensor | None = None,
        **known: Tensor | None,
    ) -> Tensor:
        """Return the mean of L_i over this process's anchors: 2N rows, or N queries with a queue."""
        comparison = self.compare(view1, view2, queue, excluded, **known)
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
        **known: Tensor | None,
    ) -> Comparison:
        """Arrange the inputs of the loss as anchors, columns and positives; see :meth:`forward` for the arguments."""
        if queue is None:
            if excluded is not None:
                raise InputError('excluded marks queue slots, but there is no queue; leave it out or give queue=')
            return in_batch_comparison(view1, view2, self.temperature, self.gather, self.chunk_size, **known)
        return queue_comparison(view1, view2, queue, self.temperature, excluded, self.gather, self.chunk_size, **known)

    def cost(self, comparison: Comparison, observation: 'Observation') -> Callable[[Block], Tensor]:
        """Return a function that maps a block to L_i of its anchors, shape (B, 1), and feeds the observation."""

        def block_cost(block: Block) -> Tensor:
            observation.add(block)
            return self.per_anchor(block)

        return block_cost

    def per_anchor(self, block: Block) -> Tensor:
        """Return L_i, shape (B, 1)."""
        raise NotImplementedError

    def extra_repr(self) -> str:
        return f'temperature={self.temperature}'


class DeterminedLoss(ContrastiveLoss):
    """Base of losses that determine false negatives first; a subclass treats them in :meth:`per_determined_anchor`.

    Args:
        temperature: tau > 0.
        positive_threshold: T in [-1, 1]. An anchor's false negatives are determined only if the cosine of its own two
            views is at least T; -1 lets every anchor pass.
        determination: The rule that picks false negatives: a name, or ``dict(type=name, ...)`` with its arguments.
        gather, chunk_size: See :class:`ContrastiveLoss`.

    Shape:
        See :class:`ContrastiveLoss`.

    Raises:
        InputError: An argument is out of range, the shapes do not fit, or the determination has no meaning with a
            queue.
    """

    def __init__(
        self,
        temperature: float,
        positive_threshold: float,
        determination: str | dict[str, Any],
        gather: bool = True,
        chunk_size: int | None = None,
    ) -> None:
        super().__init__(temperature, gather, chunk_size)
        check_range(f'positive_threshold (T, a cosine) of {type(self).__name__}', positive_threshold, -1, 1)
        self.positive_threshold = positive_threshold
        self.determination = build_determination(determination)

    @torch.no_grad()
    def determined(self, *inputs: Tensor, **named: Tensor) -> Tensor:
        """Return F after the gate as a matrix, bool, shape (R, C); for analysis only: its memory is not linear."""
        comparison = self.compare(*inputs, **named)
        determine = self.determination.prepare(comparison)
        blocks = comparison.blocks()
        return torch.cat([determine(block).gated(self._gate(block)).mask(len(comparison.columns)) for block in blocks])

    def cost(self, comparison: Comparison, observation: 'Observation') -> Callable[[Block], Tensor]:
        with torch.no_grad():
            determine = self.determination.prepare(comparison)

        def block_cost(block: Block) -> Tensor:
            with torch.no_grad():
                gate = self._gate(block)
                pairs = determine(block).gated(gate)
            observation.add(block, pairs, gate)
            return self.per_determined_anchor(block, pairs)

        return block_cost

    def _gate(self, block: Block) -> Tensor:
        """Return True for anchors with c_ip >= T, shape (B, 1)."""
        if self.positive_threshold <= -1:  # the cosine of opposite views may round to less than -1
            return torch.ones_like(block.positive_logits, dtype=torch.bool)
        return block.positive_logits * self.temperature >= self.positive_threshold

    def per_determined_anchor(self, block: Block, pairs: Pairs) -> Tensor:
        """Return L_i, shape (B, 1), where ``pairs`` is F(i) after the gate."""
        raise NotImplementedError

    def extra_repr(self) -> str:
        return (
            f'{super().extra_repr()}, positive_threshold={self.positive_threshold}, '
            f'determination={type(self.determination).__name__}'
        )


class Observation:
    """Numbers for the log, summed block by block without waiting for the device and without gradient.

    Args:
        comparison: The comparison whose blocks are added.
    """

    def __init__(self, comparison: Comparison) -> None:
        self.comparison = comparison
        zero = comparison.positive_logits.new_zeros(())
        self.past_gate, self.pairs, self.pair_logits, self.queue_logits = zero, zero, zero, zero
        self.determined = False

    @torch.no_grad()
    def add(self, block: Block, pairs: Pairs | None = None, gate: Tensor | None = None) -> None:
        """Add a block and, where false negatives are determined, its pairs after the gate and the gate, (B, 1)."""
        if self.comparison.images is None:
            self.queue_logits = self.queue_logits + block.logits.nan_to_num(neginf=0).sum()
        if pairs is None or gate is None:
            return
        self.determined = True
        self.past_gate = self.past_gate + gate.sum()
        self.pairs = self.pairs + pairs.chosen.sum()
        # Weights of 0 drop pairs that are not chosen, but only if their logits are finite. Chosen pairs are negatives,
        # whose logits are finite anyway.
        logits = pairs.of(block.logits).clamp(min=-1e30)
        self.pair_logits = self.pair_logits + logits.mul_(pairs.weights(logits.dtype)).sum()

    @torch.no_grad()
    def summary(self) -> dict[str, Tensor]:
        """Return the numbers by their names in the log, 0-d tensors.

        - ``cosine_positive``: mean over the positives
        - ``cosine_negative``: mean over the negatives that are not determined
        - ``untrained_reference``: :func:`untrained_loss`

        With a determination also:

        - ``anchors_past_gate``: share of the anchors
        - ``pairs_per_anchor``: determined pairs per anchor
        - ``cosine_determined``: mean over the determined pairs, 0 without any
        """
        comparison, rows = self.comparison, len(self.comparison.rows)
        positive = comparison.positive_logits.mean() * comparison.temperature
        negatives = comparison.negatives()
        if comparison.images is None:
            all_negatives = self.queue_logits * comparison.temperature
        else:
            # The sum over all pairs of rows is a product of two sums; subtract each row with itself and its positive.
            own = comparison.rows.square().sum()
            with torch.autocast(own.device.type, enabled=False):
                all_pairs = comparison.rows.sum(0) @ comparison.columns.sum(0)
            all_negatives = all_pairs - own - positive * rows
        count = negatives.sum() if isinstance(negatives, Tensor) else torch.as_tensor(float(negatives * rows))
        determined = self.pair_logits * comparison.temperature
        numbers = {
            'cosine_positive': positive,
            'cosine_negative': (all_negatives - determined) / (count - self.pairs).clamp(min=1),
            'untrained_reference': untrained_loss(negatives),
        }
        if self.determined:
            numbers['anchors_past_gate'] = self.past_gate / rows
            numbers['pairs_per_anchor'] = self.pairs / rows
            numbers['cosine_determined'] = determined / self.pairs.clamp(min=1)
        return numbers


def untrained_loss(negatives: Tensor | int) -> Tensor:
    """Return NT-Xent's cost before training: log K for K equally similar candidates, one of them the positive.

    Args:
        negatives: K - 1, one number for all anchors, or one per anchor, for which the mean is returned.
    """
    if isinstance(negatives, Tensor):
        return (1 + negatives).log().mean()
    return torch.tensor(math.log(1 + negatives))
