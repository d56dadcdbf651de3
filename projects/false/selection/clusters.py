"""k-means over features in a file: exact for some ten thousand, in mini-batches for more.

Only blocks of the features are in memory. k-means++: https://theory.stanford.edu/~sergei/papers/kMeansPP-soda.pdf,
mini-batches: https://doi.org/10.1145/1772690.1772862
"""

from collections.abc import Iterator

import numpy as np
from scipy.sparse import csr_matrix

from projects.false.common.errors import InputError

BLOCK = 8192  # rows in memory at a time
EXACT = 65536  # more rows than this are clustered in mini-batches
_PASSES = 30  # of exact k-means, at most
_BATCHES = 200  # mini-batches of BLOCK rows


class Reordered:
    """Features in another order, which are read when they are used, so that memory does not grow with them.

    Args:
        features: n features, in memory or mapped.
        order: For each place in the new order, its row among ``features``.
    """

    def __init__(self, features: np.ndarray, order: np.ndarray) -> None:
        self.features, self.order = features, order

    def __len__(self) -> int:
        return len(self.order)

    def __getitem__(self, rows: slice | np.ndarray) -> np.ndarray:
        found: np.ndarray = self.features[self.order[rows]]
        return found


Features = np.ndarray | Reordered


def blocks(features: Features, rows: np.ndarray | None = None, size: int = BLOCK) -> Iterator[tuple[int, np.ndarray]]:
    """Yield position and content of blocks of rows, in float32."""
    count = len(features) if rows is None else len(rows)
    for start in range(0, count, size):
        part = slice(start, start + size)
        yield start, np.asarray(features[part] if rows is None else features[rows[part]], np.float32)


def cluster(features: Features, count: int, seed: int) -> np.ndarray:
    """Cluster features by k-means.

    Args:
        features: n features, in memory, mapped or reordered.
        count: Number of clusters, 1 to n. A cluster may stay empty if features are equal.
        seed: Seed of the first centres and of mini-batches.

    Returns:
        The cluster of every feature.

    Shape:
        - features: (n, D); result: (n,), int32

    Raises:
        InputError: ``count`` is out of range.
    """
    if not 1 <= count <= len(features):
        raise InputError(f'{count} clusters of {len(features)} features; give a number from 1 to {len(features)}')
    rng = np.random.default_rng((seed, 1))
    centres = _first_centres(features, count, rng)
    if len(features) > EXACT:
        _refine_in_batches(features, centres, rng)
        return _assign(features, centres)[0]
    labels = np.full(len(features), -1, np.int32)
    for _ in range(_PASSES):
        found, distances, sums, counts = _assign(features, centres)
        if np.array_equal(found, labels):
            break
        labels = found
        taken = counts > 0
        centres[taken] = sums[taken] / counts[taken, None]
        empty = np.flatnonzero(~taken)
        if len(empty):  # empty clusters restart at the features farthest from their centres
            far = np.argsort(-distances, kind='stable')[: len(empty)]
            far = np.sort(far[distances[far] > 0])
            centres[empty[: len(far)]] = np.asarray(features[far], np.float32)
    return labels


def _first_centres(features: Features, count: int, rng: np.random.Generator) -> np.ndarray:
    """Draw centres far from one another (k-means++), from a sample of the features."""
    size = min(len(features), max(20 * count, 4096))
    rows = np.sort(rng.choice(len(features), size, replace=False))
    sample = np.concatenate([block for _, block in blocks(features, rows)])
    centres = np.empty((count, sample.shape[1]), np.float32)
    nearest = np.full(size, np.inf)
    for number in range(count):
        total = nearest.sum()
        if number == 0 or total <= 0:
            chosen = int(rng.integers(size))
        else:
            chosen = min(int(np.searchsorted(np.cumsum(nearest), rng.random() * total, 'right')), size - 1)
        centres[number] = sample[chosen]
        nearest = np.minimum(nearest, ((sample - centres[number]) ** 2).sum(axis=1, dtype=np.float64))
    return centres


def _assign(features: Features, centres: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return the cluster of every feature, its squared distance to the centre, and sums and counts of the clusters."""
    labels, distances = np.empty(len(features), np.int32), np.empty(len(features), np.float32)
    sums, counts = np.zeros(centres.shape), np.zeros(len(centres), np.int64)
    for start, block in blocks(features):
        found, part = _nearest(block, centres)
        labels[start : start + len(block)], distances[start : start + len(block)] = found, part
        sums += _grouped(block, found, len(centres))
        counts += np.bincount(found, minlength=len(centres))
    return labels, distances, sums, counts


def _nearest(block: np.ndarray, centres: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    squares = (centres * centres).sum(axis=1) - 2 * (block @ centres.T)
    found = squares.argmin(axis=1)
    return found, np.maximum(squares[np.arange(len(block)), found] + (block * block).sum(axis=1), 0)


def _grouped(block: np.ndarray, labels: np.ndarray, count: int) -> np.ndarray:
    """Add up the rows of every cluster."""
    rows = np.arange(len(block))
    membership = csr_matrix((np.ones(len(block)), (labels, rows)), shape=(count, len(block)))
    sums: np.ndarray = membership @ block.astype(np.float64)
    return sums


def _refine_in_batches(features: Features, centres: np.ndarray, rng: np.random.Generator) -> None:
    """Move each centre to the mean of all features that were drawn and nearest to it so far."""
    seen = np.zeros(len(centres))
    for _ in range(_BATCHES):
        rows = np.sort(rng.choice(len(features), BLOCK, replace=False))
        ((_, block),) = blocks(features, rows)
        found, _ = _nearest(block, centres)
        counts = np.bincount(found, minlength=len(centres))
        taken = counts > 0
        seen[taken] += counts[taken]
        means = _grouped(block, found, len(centres))[taken] / counts[taken, None]
        centres[taken] += (counts[taken] / seen[taken])[:, None] * (means - centres[taken])
