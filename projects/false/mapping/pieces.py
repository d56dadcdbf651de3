"""Pixels of an image in the pieces in which they were read, so that large arrays are never copied together."""

from collections import deque
from typing import NamedTuple

import numpy as np


class Pixels(NamedTuple):
    """A rectangle of an image.

    Args:
        values: What the model gets: the chosen bands as they are in the file, nodata 0.
        valid: Which pixels are data.

    Shape:
        - values: (H, W, bands), uint8; valid: (H, W), bool
    """

    values: np.ndarray
    valid: np.ndarray


def all_valid(height: int, width: int) -> np.ndarray:
    """True everywhere, in no memory."""
    return np.broadcast_to(np.True_, (height, width))


class Mosaic:
    """Pieces of an image, row by row: some at the lower end are added, some at the upper end forgotten."""

    def __init__(self) -> None:
        self._rows: deque[list[Pixels]] = deque()
        self._first = 0  # row of the image where they begin
        self.stop = 0  # and end

    def append(self, row: list[Pixels]) -> None:
        """Add pieces of one height that lie beside each other and fill the width."""
        self._rows.append(row)
        self.stop += len(row[0].valid)

    def forget_above(self, first: int) -> None:
        """Drop the pieces that lie above a row of the image."""
        while self._rows and self._first + len(self._rows[0][0].valid) <= first:
            self._first += len(self._rows.popleft()[0].valid)

    def part(self, rows: slice, columns: slice) -> Pixels:
        """A copy of a rectangle; what lies outside of the image is left out."""
        found, first = [], self._first
        for row in self._rows:
            height = len(row[0].valid)
            inside = slice(max(rows.start - first, 0), max(min(rows.stop - first, height), 0))
            if inside.start < inside.stop:
                found.append(_beside(row, inside, columns))
            first += height
        return Pixels(*(np.concatenate(parts) for parts in zip(*found, strict=True)))


def _beside(row: list[Pixels], inside: slice, columns: slice) -> Pixels:
    found, first = [], 0
    for piece in row:
        width = piece.valid.shape[1]
        across = slice(max(columns.start - first, 0), max(min(columns.stop - first, width), 0))
        if across.start < across.stop:
            found.append([part[inside, across] for part in piece])
        first += width
    return Pixels(*(np.concatenate(parts, axis=1) for parts in zip(*found, strict=True)))
