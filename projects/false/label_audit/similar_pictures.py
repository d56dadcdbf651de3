"""Which of many 64-bit codes lies nearest to a code, without comparing every two."""

import numpy as np

from projects.false.errors import InputError

_BANDS, _BAND_BITS, RADIUS = 4, 16, 7
_BLOCK = 1 << 20  # pairs compared at a time
# Of seven differing bits in four bands, one band has at most one: it is found by its own value or a neighbouring one.
_PROBES = np.concatenate([[0], 1 << np.arange(_BAND_BITS)]).astype(np.int64)


def nearest_codes(codes: np.ndarray, queries: np.ndarray, radius: int = RADIUS) -> tuple[np.ndarray, np.ndarray]:
    """Find the nearest code for every query that has one within the radius (multi-index hashing).

    For codes that are spread out, the time grows with the number of queries, and memory with that of the codes.

    Args:
        codes: What to search.
        queries: What to search for, in several variants, of which the nearest counts.
        radius: Largest number of differing bits, 0 to 7.

    Returns:
        For every query the position in ``codes``, the lowest of equally near ones, -1 where none is near; and the
        number of differing bits.

    Shape:
        - codes: (n,), uint64; queries: (m, V), uint64; results: (m,), int64

    Raises:
        InputError: The radius is out of range.
    """
    if not 0 <= radius <= RADIUS:
        raise InputError(f'radius is {radius}; give 0 to {RADIUS} differing bits')
    codes, first = np.unique(codes, return_index=True)  # a crowd of equal codes is compared once
    best = np.full(len(queries), np.int64(radius + 1) << 40)  # differing bits, then the position
    for band in range(_BANDS):
        shift = np.uint64(band * _BAND_BITS)
        values = _band(codes, shift)
        order = np.argsort(values, kind='stable')
        starts = np.searchsorted(values[order], np.arange((1 << _BAND_BITS) + 1))
        for variant in queries.T:
            probes = (_band(variant, shift)[:, None] ^ _PROBES).ravel()
            _compare(codes, first, order, starts[probes], starts[probes + 1], variant, best)
    found = best >> 40 <= radius
    return np.where(found, best & ((1 << 40) - 1), -1), best >> 40


def _band(codes: np.ndarray, shift: np.uint64) -> np.ndarray:
    return ((codes >> shift) & np.uint64((1 << _BAND_BITS) - 1)).astype(np.int64)


def _compare(
    codes: np.ndarray,
    first: np.ndarray,
    order: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    variant: np.ndarray,
    best: np.ndarray,
) -> None:
    """Compare every probe with the codes ``order[low:high]`` and keep the best of each query, in ``best``."""
    probe = np.flatnonzero(high > low)
    low, count = low[probe], (high - low)[probe]
    end = np.cumsum(count)
    start = 0
    while start < len(probe):
        stop = max(start + 1, int(np.searchsorted(end, (end[start] - count[start]) + _BLOCK)))
        sizes = count[start:stop]
        offset = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        candidate = order[np.repeat(low[start:stop], sizes) + offset]
        query = np.repeat(probe[start:stop] // len(_PROBES), sizes)
        distance = np.bitwise_count(codes[candidate] ^ variant[query]).astype(np.int64)
        near = distance <= best[query] >> 40
        np.minimum.at(best, query[near], distance[near] << 40 | first[candidate[near]])
        start = stop
