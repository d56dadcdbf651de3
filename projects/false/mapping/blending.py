"""Blend the logits of overlapping windows into one class per pixel; memory only depends on the width of a band."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from .windows import Band, WindowPlan


class Strip(NamedTuple):
    """Finished rows of the map.

    Args:
        classes: The class of the largest weighted mean of the logits.
        confidence: Probability of that class in percent, or None.
        seam: Sums of this row of windows beyond the columns of the band, without those of the rows above; None where
            the band is the last.

    Shape:
        - classes, confidence: (rows, columns of the band), uint8
        - seam: (classes, window, band.seam), float32
    """

    classes: Tensor
    confidence: Tensor | None
    seam: Tensor | None = None


class Blender:
    """Weighted sums of logits, built from left to right within a row of windows and carried on to the next row.

    Between two rows, only the sums of pixels in both rows are kept: classes x overlap x columns of the band float32
    numbers. Bands do not change the sums: each adds to those that the band on its left began, window by window.

    Args:
        plan: The windows.
        classes: Number of classes.
        device: Where to compute; logits are moved there.
        confidence: Compute the confidence as well.
        band: The columns to blend; None blends all.
        inherited: Takes the number of a row of windows and returns its seam from the band on the left. Called once per
            row, from the top down; None for the first band.
        temperature: The logits are divided by it for the confidence; the classes do not depend on it.
    """

    def __init__(
        self,
        plan: WindowPlan,
        classes: int,
        device: torch.device | str,
        confidence: bool = False,
        band: Band | None = None,
        inherited: Callable[[int], np.ndarray] | None = None,
        temperature: float = 1.0,
    ) -> None:
        self._plan, self._device, self._temperature = plan, device, temperature
        self._band = band or plan.part(0, len(plan.columns))
        self._inherited = inherited
        side = torch.from_numpy(plan.profile()).to(device)
        self._weight = side[:, None] * side
        self._row_sums, self._column_sums = (torch.from_numpy(sums).to(device) for sums in plan.weight_sums())
        common = max((plan.window - (b - a) for a, b in zip(plan.rows, plan.rows[1:], strict=False)), default=0)
        columns = self._band.right - self._band.left
        self._carried = torch.zeros((classes, common, columns), device=device)
        self._carried_rows = 0  # number of them that hold sums for the current row of windows
        self._classes = torch.empty((plan.window, columns), dtype=torch.uint8, device=device)
        self._confidence = torch.empty_like(self._classes) if confidence else None
        self._row = 0
        self._begin_row()

    def _begin_row(self) -> None:
        self._done = self._band.left  # up to here no later window of this row touches the sums
        if self._inherited is not None and self._row < len(self._plan.rows):
            self._tail = torch.from_numpy(self._inherited(self._row)).to(self._device)
        else:
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
        final = starts[last + 1] if last + 1 < len(starts) else self._band.right
        sums = self._extended(max(starts[last] + window, final))
        for column, values in zip(columns, torch.as_tensor(logits, device=self._device), strict=True):
            first = starts[column] - self._done
            sums[:, :, first : first + window].addcmul_(values.to(sums.dtype), self._weight)
        self._settle(sums, final)

    def finish(self, row: int | None = None) -> Iterator[Strip]:
        """Finish the rows of windows before ``row``, or all of them by default, and yield their strips."""
        until = len(self._plan.rows) if row is None else row
        while self._row < until:
            self._settle(self._extended(self._band.reach), self._band.right)
            rows = self._plan.finished_rows(self._row)
            finished = slice(rows), slice(self._plan.width - self._band.left)
            confidence = None if self._confidence is None else self._confidence[finished].clone()
            yield Strip(self._classes[finished].clone(), confidence, self._tail if self._band.seam else None)
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
            part = slice(self._done - self._band.left, final - self._band.left)
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
            left = self._band.left
            inside = min(part.stop, self._plan.width - left) - part.start
            columns = slice(part.start, part.start + inside)
            weights = self._column_sums[left + columns.start : left + columns.stop]
            weight = self._row_sums[first : first + rows, None] * weights
            shifted = total[:, : len(weight), :inside] - best.values[: len(weight), :inside]
            shifted /= weight * self._temperature
            share = 100 / shifted.exp_().sum(dim=0)
            self._confidence[: len(weight), columns] = share.round_().to(torch.uint8)
