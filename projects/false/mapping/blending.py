"""Blend the logits of overlapping windows into one class per pixel; memory only depends on the image's width."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from .windows import WindowPlan


class Strip(NamedTuple):
    """Finished rows of the map.

    Args:
        classes: The class of the largest weighted mean of the logits.
        confidence: Probability of that class in percent, or None.

    Shape:
        - classes, confidence: (rows, width of the image), uint8
    """

    classes: Tensor
    confidence: Tensor | None


class Blender:
    """Weighted sums of logits, built from left to right within a row of windows and carried on to the next row.

    Between two rows, only the sums of pixels in both rows are kept: classes x overlap x width float32 numbers.

    Args:
        plan: The windows.
        classes: Number of classes.
        device: Where to compute; logits are moved there.
        confidence: Compute the confidence as well.
        temperature: The logits are divided by it for the confidence; the classes do not depend on it.
    """

    def __init__(
        self,
        plan: WindowPlan,
        classes: int,
        device: torch.device | str,
        confidence: bool = False,
        temperature: float = 1.0,
    ) -> None:
        self._plan, self._device, self._temperature = plan, device, temperature
        side = torch.from_numpy(plan.profile()).to(device)
        self._weight = side[:, None] * side
        self._row_sums, self._column_sums = (torch.from_numpy(sums).to(device) for sums in plan.weight_sums())
        common = max((plan.window - (b - a) for a, b in zip(plan.rows, plan.rows[1:], strict=False)), default=0)
        self._width = max(plan.width, plan.window)
        self._carried = torch.zeros((classes, common, self._width), device=device)
        self._carried_rows = 0  # number of them that hold sums for the current row of windows
        self._classes = torch.empty((plan.window, self._width), dtype=torch.uint8, device=device)
        self._confidence = torch.empty_like(self._classes) if confidence else None
        self._row = 0
        self._begin_row()

    def _begin_row(self) -> None:
        self._done = 0  # columns of this row of windows that no later window touches
        self._tail = torch.zeros((len(self._carried), self._plan.window, 0), device=self._device)

    def add(self, row: int, columns: Sequence[int], logits: Tensor | np.ndarray) -> Iterator[Strip]:
        """Add windows of one row of windows, each to the right of those already added to that row.

        Windows may be left out where no pixel is wanted.

        Args:
            row: Number of the row of windows, at least that of the last call.
            columns: Numbers of the windows in the row, rising.
            logits: Logits of these windows.

        Shape:
            - logits: (n, classes, window, window)

        Yields:
            Strips of earlier rows of windows that were not finished before.
        """
        yield from self.finish(row)
        starts, window = self._plan.columns, self._plan.window
        last = columns[-1]
        final = starts[last + 1] if last + 1 < len(starts) else self._width
        sums = self._extended(max(starts[last] + window, final))
        for column, values in zip(columns, torch.as_tensor(logits, device=self._device), strict=True):
            first = starts[column] - self._done
            sums[:, :, first : first + window].addcmul_(values.to(sums.dtype), self._weight)
        self._settle(sums, final)

    def finish(self, row: int | None = None) -> Iterator[Strip]:
        """Finish the rows of windows before ``row``, or all of them by default, and yield their strips."""
        until = len(self._plan.rows) if row is None else row
        while self._row < until:
            self._settle(self._extended(self._width), self._width)
            rows = self._plan.finished_rows(self._row)
            finished = slice(rows), slice(self._plan.width)
            confidence = None if self._confidence is None else self._confidence[finished].clone()
            yield Strip(self._classes[finished].clone(), confidence)
            self._carried_rows = max(0, self._plan.window - rows)
            self._row += 1
            self._begin_row()

    def _extended(self, until: int) -> Tensor:
        """Return the sums of this row of windows from the first column that is not done up to ``until``."""
        known = self._tail.shape[2]
        sums = torch.zeros((*self._tail.shape[:2], max(until - self._done, known)), device=self._device)
        sums[:, :, :known] = self._tail
        return sums

    def _settle(self, sums: Tensor, final: int) -> None:
        """Add the carried sums to the columns up to ``final``, decide the finished rows, and carry the rest."""
        count, rows = final - self._done, self._plan.finished_rows(self._row)
        if count > 0:
            part = slice(self._done, final)
            total = sums[:, :, :count]
            total[:, : self._carried_rows] += self._carried[:, : self._carried_rows, part]
            self._decide(total[:, :rows], part)
            rest = max(0, self._plan.window - rows) if self._row + 1 < len(self._plan.rows) else 0
            self._carried[:, :rest, part] = total[:, rows:] if rest else 0
            self._done = final
        self._tail = sums[:, :, max(count, 0) :].clone()

    def _decide(self, total: Tensor, part: slice) -> None:
        rows = total.shape[1]
        best = total.max(dim=0)
        self._classes[:rows, part] = best.indices.to(torch.uint8)
        if self._confidence is not None:
            first = self._plan.rows[self._row]
            columns = slice(part.start, min(part.stop, self._plan.width))
            inside = columns.stop - columns.start
            weight = self._row_sums[first : first + rows, None] * self._column_sums[columns]
            shifted = total[:, : len(weight), :inside] - best.values[: len(weight), :inside]
            shifted /= weight * self._temperature
            share = 100 / shifted.exp_().sum(dim=0)
            self._confidence[: len(weight), columns] = share.round_().to(torch.uint8)
