"""Batches of windows, cut from the rows of an image as they come."""

from collections import deque
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np

from .pieces import Mosaic, Pixels
from .windows import WindowPlan


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
        rows: The image from the top down, as :func:`.image_rows.read_rows` gives it.
        plan: The windows.
        batch_size: Windows a batch; it goes on from one row of windows to the next.
    """

    def __init__(self, rows: Iterable[list[Pixels]], plan: WindowPlan, batch_size: int) -> None:
        self._rows, self._plan, self._batch_size = iter(rows), plan, batch_size
        self._held = Mosaic()
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
        places, pixels, size = [], [], self._plan.window
        for number, first in enumerate(self._plan.rows):
            self._read_until(first)
            finished = slice(first, first + self._plan.finished_rows(number))
            valid = self._held.part(finished, slice(0, self._plan.width)).valid
            self._valid.append(None if valid.all() else valid)
            for column, left in enumerate(self._plan.columns):
                window = self._held.part(slice(first, first + size), slice(left, left + size))
                if not window.valid.any():
                    self._skipped += 1
                    continue
                places.append((number, column))
                pixels.append(self._filled(window.values))
                if len(places) == self._batch_size:
                    yield Batch(places, np.stack(pixels))
                    places, pixels = [], []
        if places:
            yield Batch(places, np.stack(pixels))

    def _read_until(self, first: int) -> None:
        """Make sure that the rows of the windows from row ``first`` on are there; forget those above."""
        self._held.forget_above(first)
        while self._held.stop < min(first + self._plan.window, self._plan.height):
            self._held.append(next(self._rows))

    def _filled(self, pixels: np.ndarray) -> np.ndarray:
        """Mirror an image smaller than the window at its right and lower border."""
        missing = [(0, self._plan.window - length) for length in pixels.shape[:2]]
        return np.pad(pixels, (*missing, (0, 0)), mode='symmetric') if any(after for _, after in missing) else pixels
