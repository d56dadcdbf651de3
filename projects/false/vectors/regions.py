"""Find the regions of a map, connected pixels of one class, strip by strip; small ones join a neighbour."""

import heapq
from collections import defaultdict

import numpy as np
from scipy import ndimage

from projects.false.imagery.palettes import IGNORE_INDEX

ROWS = 512  # height of a strip


class Regions:
    """The regions of a map whose rows come from the top down.

    Memory holds one strip, and some numbers per region; not the map. Two pixels are connected where they share an edge.

    Args:
        width: Width of the map in pixels.
        least: Regions of fewer pixels join the neighbour with which they share the longest border; without a neighbour
            they are dropped. 0 keeps all.
        rows: Height of a strip in pixels; the regions do not depend on it.
    """

    def __init__(self, width: int, least: float = 0, rows: int = ROWS) -> None:
        self._least, self.rows = least, rows
        self._classes, self._confidence = np.empty((2, rows, width), np.uint8)
        self._held = 0
        self._offsets = [0]  # labels before each strip
        self._last: tuple[np.ndarray, np.ndarray] | None = None  # lowest row of classes and labels so far
        self._parts: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []  # class, pixels, sum of confidence per label
        self._same: list[np.ndarray] = []  # pairs of labels of one region
        self._borders: list[np.ndarray] = []  # pairs of labels and the length of their common border
        self.dropped = 0  # small regions without a neighbour
        self.joined = 0  # small regions that became part of a neighbour

    def add(self, classes: np.ndarray, confidence: np.ndarray) -> None:
        """Add rows of a map.

        Args:
            classes: Class indices, 255 for nodata.
            confidence: Confidence in percent.

        Shape:
            - classes, confidence: (h, width), uint8
        """
        while len(classes):
            taken = min(len(classes), self.rows - self._held)
            part = slice(self._held, self._held + taken)
            self._classes[part], self._confidence[part] = classes[:taken], confidence[:taken]
            self._held += taken
            classes, confidence = classes[taken:], confidence[taken:]
            if self._held == self.rows:
                self._flush()

    def _flush(self) -> None:
        classes, confidence = self._classes[: self._held], self._confidence[: self._held]
        labels, kinds = _label(classes)
        offset, count = self._offsets[-1], len(kinds)
        flat = labels.ravel()
        pixels = np.bincount(flat, minlength=count + 1)[1:]
        sums = np.bincount(flat, weights=confidence.ravel(), minlength=count + 1)[1:]
        self._parts.append((kinds, pixels, sums))
        across = labels + np.where(labels > 0, offset, 0)
        if self._last is not None:
            above, upper = self._last
            equal = (above == classes[0]) & (above != IGNORE_INDEX)
            self._same.append(np.unique(np.stack([upper[equal], across[0][equal]], axis=1), axis=0))
            if self._least:
                self._borders.append(_border_lengths(upper, across[0]))
        if self._least:
            self._borders += [_border_lengths(across[:, :-1], across[:, 1:]), _border_lengths(across[:-1], across[1:])]
        self._last = classes[-1].copy(), across[-1].copy()
        self._offsets.append(offset + count)
        self._held = 0

    def finish(self) -> None:
        """Number the regions once all rows are there; the attributes below exist from now on.

        ``classes``, ``confidence`` and ``last_strip`` give the class of each region, its mean confidence in percent and
        the strip of its last row; index 0 stands for nodata.
        """
        if self._held:
            self._flush()
        kinds, pixels, sums = (np.concatenate(parts) for parts in zip(*self._parts, strict=True))
        parent = np.arange(len(kinds) + 1)
        for pairs in self._same:
            for one, two in pairs.tolist():
                _unite(parent, one, two)
        if self._least:
            self._join_small(parent, kinds, pixels)
        root = _roots(parent)
        strip = np.repeat(np.arange(len(self._offsets) - 1), np.diff(self._offsets))
        found, number = np.unique(root[1:], return_inverse=True)
        kept = found > 0
        renumbered = np.cumsum(kept) * kept
        self._number = np.concatenate([[0], renumbered[number]]).astype(np.int32)
        count = int(kept.sum())
        self.classes = np.full(count + 1, IGNORE_INDEX, np.uint8)
        self.classes[renumbered[kept]] = kinds[found[kept] - 1]
        inside = self._number[1:]
        total = np.bincount(inside, weights=pixels, minlength=count + 1)
        self.confidence = np.bincount(inside, weights=sums, minlength=count + 1) / np.maximum(total, 1)
        self.last_strip = np.full(count + 1, -1)
        np.maximum.at(self.last_strip, inside, strip)
        del self._parts, self._same, self._borders, self._classes, self._confidence

    def strip(self, number: int, classes: np.ndarray) -> np.ndarray:
        """Return the region of every pixel of a strip, 0 for nodata.

        Args:
            number: Of the strip, from 0.
            classes: The strip of the map, as it was added.

        Shape:
            - classes: (rows or less, width), uint8; result: the same, int32
        """
        labels, _ = _label(classes)
        offset = self._offsets[number]
        return self._number[np.where(labels > 0, labels + offset, 0)]

    def _join_small(self, parent: np.ndarray, kinds: np.ndarray, pixels: np.ndarray) -> None:
        """Let every small region, the smallest first, join the neighbour with the longest common border."""
        root = _roots(parent)
        size = np.bincount(root[1:], weights=pixels, minlength=len(parent))
        beside: defaultdict[int, defaultdict[int, int]] = defaultdict(lambda: defaultdict(int))
        for one, two, length in (row for rows in self._borders for row in rows.tolist()):
            a, b = int(root[one]), int(root[two])
            if a != b and min(size[a], size[b]) < self._least:
                beside[a][b] += length
                beside[b][a] += length
        waiting = [(size[label], label) for label in np.flatnonzero(root == np.arange(len(root))).tolist()[1:]]
        waiting = [entry for entry in waiting if entry[0] < self._least]
        heapq.heapify(waiting)

        def join(small: int, into: int) -> None:
            for other, length in beside.pop(small, {}).items():
                beside[other].pop(small, None)
                if other != into:
                    beside[other][into] += length
                    beside[into][other] += length
            parent[small] = into
            size[into] += size[small]

        while waiting:
            pixels_now, small = heapq.heappop(waiting)
            if parent[small] != small or size[small] != pixels_now:
                continue
            if not beside[small]:
                parent[small], self.dropped = 0, self.dropped + 1
                continue
            into = max(beside[small], key=lambda other: (beside[small][other], size[other], -other))
            touched = list(beside[small])
            join(small, into)
            self.joined += 1
            for other in touched:  # regions of one class that only the small one had kept apart
                if other != into and kinds[other - 1] == kinds[into - 1]:
                    join(other, into)
            if size[into] < self._least:
                heapq.heappush(waiting, (size[into], into))


def _label(classes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Number the connected pixels of every class from 1, nodata 0; return also the class per number."""
    labels, kinds, count = np.zeros(classes.shape, np.int64), [], 0
    for value in np.unique(classes):
        if value != IGNORE_INDEX:
            found, number = ndimage.label(classes == value)
            np.add(found, count, out=labels, where=found > 0)
            kinds.append(np.full(number, value, np.uint8))
            count += number
    return labels, np.concatenate([np.empty(0, np.uint8), *kinds])


def _border_lengths(one: np.ndarray, two: np.ndarray) -> np.ndarray:
    """Return pairs of different labels that lie side by side, and how often: (n, 3)."""
    differ = (one != two) & (one > 0) & (two > 0)
    pairs = np.sort(np.stack([one[differ], two[differ]], axis=1), axis=1)
    found, counts = np.unique(pairs, axis=0, return_counts=True)
    return np.column_stack([found, counts])


def _find(parent: np.ndarray, label: int) -> int:
    while parent[label] != label:
        parent[label] = parent[parent[label]]
        label = int(parent[label])
    return label


def _unite(parent: np.ndarray, one: int, two: int) -> None:
    a, b = _find(parent, one), _find(parent, two)
    parent[max(a, b)] = min(a, b)


def _roots(parent: np.ndarray) -> np.ndarray:
    root = parent
    while (root[root] != root).any():
        root = root[root]
    return root
