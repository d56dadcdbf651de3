"""Windows over an image: where they lie, how they weight their pixels, and how they are cut into batches."""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from projects.false.common.errors import InputError
from projects.false.imagery.windows import starts

BLENDS = ('smooth', 'uniform')
BAND = 2048  # pixels: columns of an image that are mapped at a time, which bounds the memory


class Band(NamedTuple):
    """Columns of windows that are mapped together from the top down, before those to their right.

    Args:
        first, stop: Numbers of its columns of windows, ``stop`` excluded.
        left, right: Columns of pixels whose sums no window of a later band touches, ``right`` excluded.
        reach: Column of pixels where its windows end, at least ``right``. The next band goes on with the sums between
            ``right`` and ``reach``, the seam.
    """

    first: int
    stop: int
    left: int
    right: int
    reach: int

    @property
    def seam(self) -> int:
        """Width of the seam in pixels; 0 for the last band."""
        return self.reach - self.right


@dataclass(frozen=True)
class WindowPlan:
    """The windows of an image: as few as cover it at this stride.

    The last row and column of windows are shifted inwards. An image smaller than the window is mirrored at its right
    and lower border until it fills one.

    Args:
        height: Image height in pixels.
        width: Image width in pixels.
        window: Side of the square windows in pixels, at least 1.
        overlap: Share of a window that it has in common with its neighbour, in [0, 1).
        blend: Weights of the pixels of a window: ``'smooth'`` rises over the overlap as a raised cosine, ``'uniform'``
            is 1 everywhere, as in mmseg's slide mode.
        band: Approximate number of pixel columns to map at a time; at least one column of windows is mapped.

    Raises:
        InputError: A value is out of range.

    Example:
        >>> plan = WindowPlan(5, 8, window=4, overlap=0.5)
        >>> plan.rows, plan.columns
        ((0, 1), (0, 2, 4))
    """

    height: int
    width: int
    window: int
    overlap: float = 0.5
    blend: str = 'smooth'
    band: int = BAND
    rows: tuple[int, ...] = field(init=False)
    columns: tuple[int, ...] = field(init=False)

    def __post_init__(self) -> None:
        if self.window < 1:
            raise InputError(f'window is {self.window} pixels; give at least 1')
        if not 0 <= self.overlap < 1:
            raise InputError(f'overlap is {self.overlap}; give a share of the window from 0 to below 1, such as 0.5')
        if self.blend not in BLENDS:
            raise InputError(f'blend is {self.blend!r}; give one of {", ".join(BLENDS)}')
        for name, length in (('rows', self.height), ('columns', self.width)):
            object.__setattr__(self, name, tuple(starts(max(length, self.window), self.window, self.stride)))

    @property
    def stride(self) -> int:
        """Distance between neighbouring windows in pixels."""
        return max(1, round(self.window * (1 - self.overlap)))

    @property
    def bands(self) -> tuple[Band, ...]:
        """The bands from left to right, of about equal width; one where the image is not wider than a band.

        Example:
            >>> [band[2:] for band in WindowPlan(4, 10, window=4, band=4).bands]
            [(0, 4, 6), (4, 10, 10)]
        """
        columns, each = len(self.columns), max(1, self.band // self.stride)
        edges = [columns * number // -(-columns // each) for number in range(-(-columns // each) + 1)]
        return tuple(self.part(first, stop) for first, stop in pairwise(edges))

    def part(self, first: int, stop: int) -> Band:
        """Return the band of some columns of windows, ``stop`` excluded."""
        reach = self.columns[stop - 1] + self.window
        right = self.columns[stop] if stop < len(self.columns) else reach
        return Band(first, stop, self.columns[first], right, reach)

    def finished_rows(self, row: int) -> int:
        """Return the number of image rows, from the first of a row of windows on, that no later window touches."""
        last = row + 1 == len(self.rows)
        return (self.height if last else self.rows[row + 1]) - self.rows[row]

    def profile(self) -> np.ndarray:
        """Return the weights along one side of a window; the weight of a pixel is the product of both sides.

        No weight is 0, so that pixels under a single window keep their full value after division by the weights' sum.

        Shape:
            - result: (window,), float32
        """
        weight = np.ones(self.window, np.float32)
        ramp = self.window - self.stride
        if self.blend == 'smooth' and ramp:
            rise = np.sin(np.pi / 2 * (np.arange(ramp) + 0.5) / ramp) ** 2
            weight[:ramp] *= rise.astype(np.float32)
            weight[self.window - ramp :] *= rise[::-1].astype(np.float32)
        return weight

    def weight_sums(self) -> tuple[np.ndarray, np.ndarray]:
        """Sum the weights of all windows per row and per column; a pixel's sum is the product of the two.

        Shape:
            - result: (height,) and (width,), float32
        """
        found = []
        for firsts, length in ((self.rows, self.height), (self.columns, self.width)):
            total = np.zeros(max(length, self.window), np.float32)
            for first in firsts:
                total[first : first + self.window] += self.profile()
            found.append(total[:length])
        return found[0], found[1]


class Pixels(NamedTuple):
    """A rectangle of an image.

    Args:
        values: The model's input: the chosen bands in 8 bit, nodata 0.
        valid: True where a pixel is data.

    Shape:
        - values: (H, W, bands), uint8; valid: (H, W), bool
    """

    values: np.ndarray
    valid: np.ndarray


def all_valid(height: int, width: int) -> np.ndarray:
    """Return a mask that is True everywhere and takes no memory."""
    return np.broadcast_to(np.True_, (height, width))


class Mosaic:
    """A moving band of an image: rows of pieces are added at its lower end and dropped at its upper end."""

    def __init__(self) -> None:
        self._rows: deque[list[Pixels]] = deque()
        self._first = 0  # row of the image where the pieces begin
        self.stop = 0  # row of the image where they end

    def append(self, row: list[Pixels]) -> None:
        """Add pieces of one height that lie side by side and fill the width."""
        self._rows.append(row)
        self.stop += len(row[0].valid)

    def drop_above(self, first: int) -> None:
        """Drop the pieces above a row of the image."""
        while self._rows and self._first + len(self._rows[0][0].valid) <= first:
            self._first += len(self._rows.popleft()[0].valid)

    def part(self, rows: slice, columns: slice) -> Pixels:
        """Copy a rectangle, as far as it lies in the image."""
        found, first = [], self._first
        for row in self._rows:
            height = len(row[0].valid)
            inside = slice(max(rows.start - first, 0), max(min(rows.stop - first, height), 0))
            if inside.start < inside.stop:
                found.append(_crop(row, inside, columns))
            first += height
        return Pixels(*(np.concatenate(parts) for parts in zip(*found, strict=True)))


def _crop(row: list[Pixels], inside: slice, columns: slice) -> Pixels:
    """Copy a rectangle from pieces that lie side by side."""
    found, first = [], 0
    for piece in row:
        width = piece.valid.shape[1]
        across = slice(max(columns.start - first, 0), max(min(columns.stop - first, width), 0))
        if across.start < across.stop:
            found.append([part[inside, across] for part in piece])
        first += width
    return Pixels(*(np.concatenate(parts, axis=1) for parts in zip(*found, strict=True)))


class Batch(NamedTuple):
    """Windows for one call of the model.

    Args:
        positions: Number of the row of windows and of the window within it, per window.
        pixels: The model's input.

    Shape:
        - pixels: (n, window, window, bands), uint8
    """

    positions: list[tuple[int, int]]
    pixels: np.ndarray


class WindowBatches:
    """Cut windows row by row, and leave out those without a valid pixel.

    Memory only holds the pieces of the image that the current row of windows touches.

    Args:
        rows: The pixels that the windows touch, from the top down, see :func:`.sources.read_rows`.
        plan: The windows.
        batch_size: Windows per batch; a batch may continue from one row of windows to the next.
        band: The windows to cut; None cuts all of the plan.
    """

    def __init__(
        self, rows: Iterable[list[Pixels]], plan: WindowPlan, batch_size: int, band: Band | None = None
    ) -> None:
        self._rows, self._plan, self._batch_size = iter(rows), plan, batch_size
        self._band = band or plan.part(0, len(plan.columns))
        self._held = Mosaic()
        self._valid: deque[np.ndarray | None] = deque()
        self._skipped = 0

    @property
    def skipped(self) -> int:
        """Number of windows left out so far."""
        return self._skipped

    def take_valid(self) -> np.ndarray | None:
        """Return the mask of data for the finished rows of the next row of windows; None if all pixels are data.

        Call this once per row of windows, after a batch that reaches beyond it.

        Shape:
            - result: (plan.finished_rows(row), width of the band), bool
        """
        return self._valid.popleft()

    def __iter__(self) -> Iterator[Batch]:
        positions: list[tuple[int, int]] = []
        pixels: list[np.ndarray] = []
        size, band = self._plan.window, self._band
        settled = slice(0, min(band.right, self._plan.width) - band.left)
        for number, first in enumerate(self._plan.rows):
            self._read_until(first)
            finished = slice(first, first + self._plan.finished_rows(number))
            valid = self._held.part(finished, settled).valid
            self._valid.append(None if valid.all() else valid)
            for column in range(band.first, band.stop):
                left = self._plan.columns[column] - band.left
                window = self._held.part(slice(first, first + size), slice(left, left + size))
                if not window.valid.any():
                    self._skipped += 1
                    continue
                positions.append((number, column))
                pixels.append(self._filled(window.values))
                if len(positions) == self._batch_size:
                    yield Batch(positions, np.stack(pixels))
                    positions, pixels = [], []
        if positions:
            yield Batch(positions, np.stack(pixels))

    def _read_until(self, first: int) -> None:
        """Read until the windows from row ``first`` on can be cut, and drop the pixels above them."""
        self._held.drop_above(first)
        while self._held.stop < min(first + self._plan.window, self._plan.height):
            self._held.append(next(self._rows))

    def _filled(self, pixels: np.ndarray) -> np.ndarray:
        """Mirror pixels at their right and lower border until they fill a window."""
        missing = [(0, self._plan.window - length) for length in pixels.shape[:2]]
        return np.pad(pixels, (*missing, (0, 0)), mode='symmetric') if any(after for _, after in missing) else pixels
