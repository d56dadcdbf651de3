"""Some of the picked pairs, right and wrong, drawn evenly from all, to be looked at."""

from typing import NamedTuple

import torch
from torch import Tensor

from .comparisons import AuditedComparison, View


class Example(NamedTuple):
    """A picked pair.

    Attributes:
        anchor, other: The two views.
        cosine: c_ij of their projections.
        positive_cosine: c_ip, of the anchor and its own other view.
        overlap: Overlap of their label histograms, in [0, 1].
    """

    anchor: View
    other: View
    cosine: float
    positive_cosine: float
    overlap: float


class Examples:
    """A fair sample of the pairs of one rule: every pair has the same chance, whatever batch it is from.

    Args:
        most: How many right pairs and how many wrong ones are kept.
        generator: Source of the draws.
    """

    def __init__(self, most: int, generator: torch.Generator) -> None:
        self.most, self.generator = most, generator
        self._kept: dict[bool, dict[frozenset, tuple[float, Example]]] = {True: {}, False: {}}

    def add(self, audited: AuditedComparison, picks: Tensor, same: Tensor, cosines: Tensor, overlaps: Tensor) -> None:
        """Take note of the pairs of a batch.

        Shape:
            - picks, same, cosines, overlaps: (R, C); pairs without a label are not among ``picks``.
        """
        positive = audited.comparison.positive_logits[:, 0].cpu() * audited.comparison.temperature
        for right, kept in self._kept.items():
            places = (picks & (same == right)).nonzero()
            lots = torch.rand(len(places), generator=self.generator)
            for lot, place in zip(*lots.topk(min(2 * self.most, len(lots)), largest=False), strict=True):
                row, column = places[place].tolist()
                key = frozenset((audited.rows[row], audited.columns[column]))  # a pair may be picked both ways
                if key not in kept:
                    values = (float(values) for values in (cosines[row, column], positive[row], overlaps[row, column]))
                    kept[key] = float(lot), Example(audited.rows[row], audited.columns[column], *values)
            self._kept[right] = dict(sorted(kept.items(), key=lambda item: item[1][0])[: self.most])

    def kept(self, right: bool) -> list[Example]:
        """The pairs that share their land cover, or those that do not."""
        return [example for _, example in self._kept[right].values()]
