"""Batches of windows, cut from the rows of an image as they come."""

from collections import deque
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np

from .image_rows import Rows
from .window_plan import WindowPlan


class Batch(NamedTuple):
    """Windows for one call of the model.

    Args:
        places: Number of the row of windows and of the window in it.
        pixels: What the model gets.

    Shape:
        - pixels: (n, window, window, bands), uint8
    """

    places: list[tuple[int, int]]
    pixels: np.ndarray


class WindowBatches:
    """Cut windows row by row; those without a single valid pixel are left out.

    Only the pieces of the image that the current row of windows touches are in memory.

    Args:
        rows: The rows of the image from the top down.
        plan: The windows.
        batch_size: Windows a batch; it goes on from one row of windows to the next.
    """

    def __init__(self, rows: Iterable[Rows], plan: WindowPlan, batch_size: int) -> None:
        self._rows, self._plan, self._batch_size = iter(rows), plan, batch_size
        self._parts: deque[Rows] = deque()
        self._first = 0  # row of the image where they begin
        self._valid: deque[np.ndarray | None] = deque()
        self._skipped = 0

    @property
    def skipped(self) -> int:
        """How many windows were left out so far."""
        return self._skipped

    def take_valid(self) -> np.ndarray | None:
        """Which pixels are data in the finished rows of the next row of windows; None if all are.

        To be called once for every row of windows, after a batch that reaches beyond it.

        Shape:
            - result: (plan.finished_rows(row), width), bool
        """
        return self._valid.popleft()

    def __iter__(self) -> Iterator[Batch]:
        places, pixels = [], []
        for number, first in enumerate(self._plan.rows):
            held = self._held(first)
            finished = held.part(slice(0, self._plan.finished_rows(number)), slice(None)).valid
            self._valid.append(None if finished.all() else finished)
            for column, left in enumerate(self._plan.columns):
                window = held.part(slice(0, self._plan.window), slice(left, left + self._plan.window))
                if not window.valid.any():
                    self._skipped += 1
                    continue
                places.append((number, column))
                pixels.append(self._filled(window.pixels))
                if len(places) == self._batch_size:
                    yield Batch(places, np.stack(pixels))
                    places, pixels = [], []
        if places:
            yield Batch(places, np.stack(pixels))

    def _held(self, first: int) -> '_Held':
        """Read on until the rows of the windows from row ``first`` on are there; forget those above."""
        while self._parts and self._first + len(self._parts[0].valid) <= first:
            self._first += len(self._parts.popleft().valid)
        needed = min(first + self._plan.window, self._plan.height)
        while self._first + sum(len(part.valid) for part in self._parts) < needed:
            self._parts.append(next(self._rows))
        return _Held(list(self._parts), first - self._first)

    def _filled(self, pixels: np.ndarray) -> np.ndarray:
        """Mirror an image smaller than the window at its right and lower border."""
        missing = [(0, self._plan.window - length) for length in pixels.shape[:2]]
        return np.pad(pixels, (*missing, (0, 0)), mode='symmetric') if any(after for _, after in missing) else pixels


class _Held(NamedTuple):
    """Rows of an image in the pieces in which they were read.

    Args:
        parts: The pieces, one below the other.
        above: Rows of the first one that do not count.
    """

    parts: list[Rows]
    above: int

    def part(self, rows: slice, columns: slice) -> Rows:
        """A copy of some of it."""
        pixels, valid, first = [], [], -self.above
        for part in self.parts:
            inside = slice(max(rows.start - first, 0), max(rows.stop - first, 0))
            pixels.append(part.pixels[inside, columns])
            valid.append(part.valid[inside, columns])
            first += len(part.valid)
        return Rows(np.concatenate(pixels), np.concatenate(valid))
