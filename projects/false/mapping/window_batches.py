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

    Only the rows of the image that the current row of windows touches are in memory.

    Args:
        rows: The rows of the image from the top down.
        plan: The windows.
        batch_size: Windows a batch; it goes on from one row of windows to the next.
    """

    def __init__(self, rows: Iterable[Rows], plan: WindowPlan, batch_size: int) -> None:
        self._rows, self._plan, self._batch_size = iter(rows), plan, batch_size
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
        for row, image in enumerate(self._rows_of_windows()):
            finished = image.valid[: self._plan.finished_rows(row), : self._plan.width]
            self._valid.append(None if finished.all() else finished.copy())
            everything = image.valid.all()
            for column, first in enumerate(self._plan.columns):
                part = slice(first, first + self._plan.window)
                if not everything and not image.valid[:, part].any():
                    self._skipped += 1
                    continue
                places.append((row, column))
                pixels.append(image.pixels[:, part].copy())
                if len(places) == self._batch_size:
                    yield Batch(places, np.stack(pixels))
                    places, pixels = [], []
        if places:
            yield Batch(places, np.stack(pixels))

    def _rows_of_windows(self) -> Iterator[Rows]:
        window, first, held = self._plan.window, 0, None
        for row in self._plan.rows:
            held = held and Rows(*(part[row - first :] for part in held))
            first, needed = row, min(window, self._plan.height - row)
            parts = [held] if held else []
            while sum(len(part.valid) for part in parts) < needed:
                parts.append(next(self._rows))
            held = parts[0] if len(parts) == 1 else Rows(*(np.concatenate(part) for part in zip(*parts, strict=True)))
            yield self._filled(Rows(*(part[:window] for part in held)))

    def _filled(self, rows: Rows) -> Rows:
        """Mirror an image smaller than the window at its right and lower border."""
        missing = [(0, max(0, self._plan.window - length)) for length in rows.valid.shape]
        if not any(after for _, after in missing):
            return rows
        pixels = np.pad(rows.pixels, (*missing, (0, 0)), mode='symmetric')
        return Rows(pixels, np.pad(rows.valid, missing, mode='symmetric'))
