"""Find similar pictures by short codes, search these codes, and compare two pictures by their fine detail."""

import cv2
import numpy as np

from projects.false.common.errors import InputError

# Codes
SIDE, FREQUENCIES = 32, 8  # of the thumbnail in pixels, and of the code along each axis
BLANK = 1.0  # standard deviation in grey levels below which there is nothing to recognise
_BIT = np.uint64(1) << np.arange(FREQUENCIES**2, dtype=np.uint64)
_ODD = np.arange(FREQUENCIES) % 2 == 1
# Search: of seven differing bits in four bands, one band has at most one, so its own or a neighbouring value finds it.
RADIUS = 7
_BANDS, _BAND_BITS = 4, 16
_PROBES = np.concatenate([[0], 1 << np.arange(_BAND_BITS)]).astype(np.int64)
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
    """Cut the 16 bits of a band out of every code."""
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
    """Compare every probe with the codes ``order[low:high]``, and keep the nearest per query in ``best``."""
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
