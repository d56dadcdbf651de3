"""The determined pairs of a block of anchors."""

from typing import NamedTuple

import torch
from torch import Tensor


class Pairs(NamedTuple):
    """F(i) of a block of anchors, as k columns an anchor of which some are chosen, or as a choice among all columns.

    Attributes:
        chosen: True where the pair is determined, bool, shape (B, k), or (B, C) if ``columns`` is None.
        columns: The k columns of every anchor, all different, shape (B, k); None for all columns.
    """

    chosen: Tensor
    columns: Tensor | None = None

    def gated(self, gate: Tensor) -> 'Pairs':
        """The pairs of anchors where ``gate``, bool, shape (B, 1), is True."""
        return self._replace(chosen=self.chosen & gate)

    def of(self, values: Tensor) -> Tensor:
        """The values, shape (B, C), of the k columns of every anchor, chosen or not."""
        return values if self.columns is None else values.gather(1, self.columns)

    def mask(self, columns: int) -> Tensor:
        """F as a matrix, bool, shape (B, ``columns``)."""
        if self.columns is None:
            return self.chosen
        return torch.zeros(len(self.chosen), columns, dtype=torch.bool, device=self.chosen.device).scatter_(
            1, self.columns, self.chosen
        )

    @classmethod
    def none(cls, logits: Tensor) -> 'Pairs':
        """No pair at all, for anchors of these logits."""
        columns = torch.zeros(len(logits), 0, dtype=torch.long, device=logits.device)
        return cls(columns.bool(), columns)
