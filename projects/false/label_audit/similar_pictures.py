"""Find similar pictures by short codes, search these codes, and compare two pictures by their fine detail."""

from itertools import combinations

import cv2
import numpy as np

from projects.false.common.errors import InputError

# Codes
SIDE, FREQUENCIES = 32, 8  # of the thumbnail in pixels, and of the code along each axis
BLANK = 1.0  # standard deviation in grey levels below which there is nothing to recognise
_BIT = np.uint64(1) << np.arange(FREQUENCIES**2, dtype=np.uint64)
_ODD = np.arange(FREQUENCIES) % 2 == 1
# Search: a code is cut into bands of so many bits, each looked up with up to so many of them flipped. Seven differing
# bits cannot exceed that in every band, which takes 4 x (1 + 1), or 3 + 3 + 2. Many codes crowd short bands.
RADIUS = 7
_BANDS = ((16, 1), (16, 1), (16, 1), (16, 1))
_LONG_BANDS = ((21, 2), (21, 2), (22, 1))
_MANY = 500_000  # codes from which on long bands take less time, although seven times as many values are looked up
_BLOCK = 1 << 20  # pairs compared at a time
# Comparison
DETAIL_SIDE, DETAIL_MARGIN = 64, 8  # side of the compared pictures, and how far one may be displaced, in pixels
_BLUR = 2.0  # pixels: coarser structure than this is left out, since many places share it
_AROUND, _NOISE = 3.0, 1.0  # contrast is evened out over that many pixels, above that many grey levels


def grey_of_bands(image: np.ndarray) -> np.ndarray:
    """Average the first three bands.

    Shape:
        - image: (H, W, B), uint8; result: (H, W), float32.
    """
    return image[..., :3].mean(axis=2, dtype=np.float32)


def orientation_codes(grey: np.ndarray) -> np.ndarray | None:
    """Compute the codes of a picture in all eight orientations, since imagery from above has no upright one.

    A code holds 64 bits: the signs of the lowest 8 x 8 frequencies of the cosine transform of a 32 x 32 thumbnail,
    without the mean. Mirroring flips the signs of odd frequencies and transposing swaps rows and columns, so one
    transform gives all eight codes.

    Args:
        grey: The picture.

    Shape:
        - grey: (H, W), float32
        - result: (8,), uint64, the code of the unturned picture first; None for a blank picture
    """
    if grey.ndim != 2:
        raise InputError(f'picture of shape {grey.shape}; give one band')
    if grey.std() < BLANK:
        return None
    thumbnail = cv2.resize(grey, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    signs = cv2.dct(thumbnail)[:FREQUENCIES, :FREQUENCIES] > 0
    codes = []
    for turned in (signs, signs.T):
        for rows in (False, True):
            for columns in (False, True):
                code = turned ^ ((_ODD[:, None] & rows) ^ (_ODD & columns))
                code[0, 0] = False
                codes.append((code.ravel() * _BIT).sum(dtype=np.uint64))
    return np.array(codes, np.uint64)


def nearest_codes(codes: np.ndarray, queries: np.ndarray, radius: int = RADIUS) -> tuple[np.ndarray, np.ndarray]:
    """Find the nearest code for every query that has one within the radius (multi-index hashing).

    For codes that are spread out, the time grows with the number of queries, and memory with that of the codes.

    Args:
        codes: Codes to search in.
        queries: Codes to search for, in V variants each, of which the nearest counts.
        radius: Largest number of differing bits, 0 to 7.

    Returns:
        Per query, the position in ``codes``, -1 where none is near and the lowest of equally near ones; and the number
        of differing bits.

    Shape:
        - codes: (n,), uint64; queries: (m, V), uint64; results: (m,), int64

    Raises:
        InputError: The radius is out of range.
    """
    if not 0 <= radius <= RADIUS:
        raise InputError(f'radius is {radius}; give 0 to {RADIUS} differing bits')
    codes, first = np.unique(codes, return_index=True)  # equal codes are compared once
    best = np.full(len(queries), np.int64(radius + 1) << 40)  # differing bits, then the position
    shift = 0
    for bits, flips in _LONG_BANDS if len(codes) >= _MANY else _BANDS:
        values, changes = _band(codes, shift, bits), _changes(bits, flips)
        order = np.argsort(values, kind='stable')
        starts = np.concatenate([[0], np.bincount(values, minlength=1 << bits).cumsum()])
        step = max(1, _BLOCK // len(changes))
        for variant in queries.T:
            for begin in range(0, len(queries), step):
                asked, nearest = variant[begin : begin + step], best[begin : begin + step]
                probes = _band(asked, shift, bits)[:, None] ^ changes
                _compare(codes, first, order, starts[probes], starts[probes + 1], asked, nearest)
        shift += bits
    found = best >> 40 <= radius
    return np.where(found, best & ((1 << 40) - 1), -1), best >> 40


def _band(codes: np.ndarray, shift: int, bits: int) -> np.ndarray:
    """Cut the bits of a band out of every code."""
    return ((codes >> np.uint64(shift)) & np.uint64((1 << bits) - 1)).astype(np.int64)


def _changes(bits: int, flips: int) -> np.ndarray:
    """Return the numbers of ``bits`` bits of which at most ``flips`` are 1."""
    single = 1 << np.arange(bits)
    return np.array([sum(chosen) for count in range(flips + 1) for chosen in combinations(single.tolist(), count)])


def _compare(
    codes: np.ndarray,
    first: np.ndarray,
    order: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    asked: np.ndarray,
    nearest: np.ndarray,
) -> None:
    """Compare every query with the codes ``order[low:high]`` of its probes, and keep the best in ``nearest``.

    Shape:
        - low, high: (queries, probes); asked, nearest: (queries,)
    """
    query, probe = np.nonzero(high > low)
    low, count = low[query, probe], (high - low)[query, probe]
    end = np.cumsum(count)
    start = 0
    while start < len(query):
        stop = max(start + 1, int(np.searchsorted(end, (end[start] - count[start]) + _BLOCK)))
        sizes = count[start:stop]
        offset = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        candidate = order[np.repeat(low[start:stop], sizes) + offset]
        by = np.repeat(query[start:stop], sizes)
        distance = np.bitwise_count(codes[candidate] ^ asked[by]).astype(np.int64)
        near = distance <= nearest[by] >> 40
        np.minimum.at(nearest, by[near], distance[near] << 40 | first[candidate[near]])
        start = stop


def shared_detail(first: np.ndarray, second: np.ndarray) -> float:
    """Correlate the details of two pictures in all orientations and small displacements, and return the maximum.

    Contrast is evened out first. Otherwise one strong edge, of a shore or of nodata beside the imagery, would outweigh
    everything else.

    Shape:
        - first, second: (H, W), float32

    Returns:
        A value in [-1, 1]: 1 for the same picture, -1 if one of them is flat.
    """
    inner = _detail(second)[DETAIL_MARGIN:-DETAIL_MARGIN, DETAIL_MARGIN:-DETAIL_MARGIN]
    whole, best = _detail(first), -1.0
    if min(inner.std(), whole.std()) < 1e-3:
        return best  # the correlation with a flat picture is undefined
    for turns in range(4):
        for picture in (np.rot90(whole, turns), np.rot90(whole.T, turns)):
            scores = cv2.matchTemplate(np.ascontiguousarray(picture), inner, cv2.TM_CCOEFF_NORMED)
            best = max(best, float(np.nan_to_num(scores, posinf=-1).max()))
    return best


def _detail(grey: np.ndarray) -> np.ndarray:
    """Shrink a picture, remove its coarse structure, and even out its contrast."""
    small = cv2.resize(grey, (DETAIL_SIDE, DETAIL_SIDE), interpolation=cv2.INTER_AREA)
    detail = small - cv2.GaussianBlur(small, (0, 0), _BLUR)
    contrast = np.sqrt(cv2.GaussianBlur(detail * detail, (0, 0), _AROUND))
    return np.ascontiguousarray(detail / (contrast + _NOISE))
