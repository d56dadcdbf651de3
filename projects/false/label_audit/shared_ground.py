"""Find windows that overlap or touch, within an image and, where images are georeferenced, from image to image."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from projects.false.imagery.rasters import patch_transform

APART, TOUCHING, OVERLAPPING = 0, 1, 2
_TOLERANCE = 0.5  # pixels by which rounded coordinates may be off
_BLOCK = 1 << 17  # pairs compared at a time


class Window(NamedTuple):
    """A square of an image.

    Args:
        source: Name of the image.
        row, col: First pixel.
        size: Side in pixels.
    """

    source: str
    row: int
    col: int
    size: int


class Ground:
    """The corners of windows, on the Earth where their images say where they lie, otherwise in pixels of the image.

    Images in several reference systems are transformed to the most common one.

    Args:
        windows: n windows.
        sources: Image -> its record in ``dataset.json``, with ``transform`` and ``crs`` where they are known.

    Shape:
        - corners: (n, 4, 2), in the order of a walk around the window
        - frames: (n,), windows lie in one plane if the number is equal
        - pixels: (n,), side of a pixel

    ``system`` is the reference system of the windows that lie on the Earth, '' if it is not known.
    """

    def __init__(self, windows: Sequence[Window], sources: Mapping[str, Mapping[str, Any]]) -> None:
        numbers: dict[tuple[str, str], int] = {}
        systems = Counter(str(sources[w.source].get('crs', '')) for w in windows if _placed(sources, w.source))
        common = systems.most_common(1)[0][0] if systems else ''
        self.system = common
        self.corners = np.empty((len(windows), 4, 2))
        self.frames = np.empty(len(windows), np.int64)
        self.pixels = np.ones(len(windows))
        others: dict[str, list[int]] = {}
        for number, window in enumerate(windows):
            placed = _placed(sources, window.source)
            transform = sources[window.source]['transform'] if placed else [1.0, 0.0, 0.0, 0.0, 1.0, 0.0]
            system = str(sources[window.source].get('crs', '')) if placed else ''
            a, b, c, d, e, f = patch_transform(transform, window.row, window.col)
            across, down, corner = np.array([a, d]), np.array([b, e]), np.array([c, f])
            side = window.size
            self.corners[number] = corner, corner + side * across, corner + side * (across + down), corner + side * down
            self.pixels[number] = abs(a * e - b * d) ** 0.5
            if placed and system and common and system != common:
                others.setdefault(system, []).append(number)
                system = common
            key = ('earth', system) if placed else ('image', window.source)
            self.frames[number] = numbers.setdefault(key, len(numbers))
        for system, rows in others.items():
            self._bring(rows, system, common)

    def _bring(self, rows: list[int], system: str, common: str) -> None:
        from rasterio.warp import transform

        before = self.corners[rows].reshape(-1, 2)
        x, y = transform(system, common, before[:, 0].tolist(), before[:, 1].tolist())
        size = np.linalg.norm(before.reshape(-1, 4, 2)[:, 1] - before.reshape(-1, 4, 2)[:, 0], axis=1)
        self.corners[rows] = np.stack([x, y], axis=-1).reshape(-1, 4, 2)
        now = np.linalg.norm(self.corners[rows][:, 1] - self.corners[rows][:, 0], axis=1)
        self.pixels[rows] *= now / size


def _placed(sources: Mapping[str, Mapping[str, Any]], source: str) -> bool:
    return 'transform' in sources.get(source, ())


def meeting_windows(ground: Ground, known: np.ndarray, asked: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Find, for each of some windows, one of others that it overlaps or touches.

    Windows are sorted into cells that are as large as the largest window of their plane, so that windows that meet
    begin in neighbouring cells. The time grows with n log n as long as few windows lie on the same ground.

    Args:
        ground: Where all windows lie.
        known, asked: Numbers of windows.

    Returns:
        Per window of ``asked``, :data:`OVERLAPPING`, :data:`TOUCHING` (even at a corner) or :data:`APART`; and the
        number of the first window of ``known`` for which that holds, -1 without one.

    Shape:
        - known: (k,); asked: (a,); results: (a,)
    """
    keys, steps = _cells(ground)
    order = known[np.argsort(keys[known], kind='stable')]
    ordered = keys[order]
    best = np.full(len(asked), -1, np.int64)  # the relation, and below it the number, the lowest first
    for step in steps:
        wanted = keys[asked] + step
        low, high = (np.searchsorted(ordered, wanted, side) for side in ('left', 'right'))
        for rows, columns in _pairs(low, high):
            others = order[columns]
            relation = _relation(ground, asked[rows], others)
            met = relation > APART
            np.maximum.at(best, rows[met], relation[met] << 40 | ((1 << 40) - 1 - others[met]))
    found = best >= 0
    return np.where(found, best >> 40, APART), np.where(found, (1 << 40) - 1 - (best & ((1 << 40) - 1)), -1)


def _cells(ground: Ground) -> tuple[np.ndarray, list[int]]:
    """Number the cell in which each window begins, and return what to add to reach the cells around."""
    low, high = ground.corners.min(axis=1), ground.corners.max(axis=1)
    frames = ground.frames.max(initial=-1) + 1
    side, first = np.zeros(frames), np.full((frames, 2), np.inf)
    np.maximum.at(side, ground.frames, (high - low).max(axis=1, initial=0) + _TOLERANCE * ground.pixels)
    np.minimum.at(first, ground.frames, low)
    cells = ((low - first[ground.frames]) // side[ground.frames, None]).astype(np.int64) + 1
    width, height = (cells.max(axis=0, initial=0) + 2).tolist()
    keys = (ground.frames * height + cells[:, 1]) * width + cells[:, 0]
    return keys, [down * width + right for down in (-1, 0, 1) for right in (-1, 0, 1)]


def _pairs(low: np.ndarray, high: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield row and column of all pairs with ``low[row] <= column < high[row]``, some at a time."""
    rows = np.flatnonzero(high > low)
    counts = (high - low)[rows]
    ends = np.cumsum(counts)
    for start in range(0, int(ends[-1]) if len(ends) else 0, _BLOCK):
        place = np.arange(start, min(start + _BLOCK, int(ends[-1])))
        at = np.searchsorted(ends, place, 'right')
        yield rows[at], low[rows[at]] + place - (ends - counts)[at]


def _relation(ground: Ground, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Compare parallelograms: they are apart if there is a gap along the normal of a side of either."""
    one, other = ground.corners[first], ground.corners[second]
    gap = np.full(len(first), -np.inf)
    for shape in (one, other):
        for corner in (1, 3):
            edge = shape[:, corner] - shape[:, 0]
            normal = np.stack([-edge[:, 1], edge[:, 0]], axis=1) / np.linalg.norm(edge, axis=1, keepdims=True)
            p, q = ((points * normal[:, None]).sum(axis=2) for points in (one - one[:, :1], other - one[:, :1]))
            gap = np.maximum(gap, np.maximum(q.min(axis=1) - p.max(axis=1), p.min(axis=1) - q.max(axis=1)))
    room = _TOLERANCE * np.minimum(ground.pixels[first], ground.pixels[second])
    return np.where(gap < -room, OVERLAPPING, np.where(gap <= room, TOUCHING, APART)).astype(np.int64)
