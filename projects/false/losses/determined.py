"""What losses that determine false negatives have in common: a rule and a gate."""

import torch
from torch import Tensor

from projects.false.common.errors import check_range
from projects.false.losses.determinations import build_determination

from .base import ContrastiveLoss
from .comparison import Block, Comparison
from .observation import Observation
from .pairs import Pairs


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
