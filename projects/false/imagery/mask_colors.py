"""Turn the colours of a mask into class indices, the nearest ones within a tolerance, and indices into colours."""

from functools import lru_cache
from pathlib import Path
from threading import Lock

import numpy as np

from projects.false.common.errors import InputError

from .palettes import IGNORE_INDEX, Palette

_UNKNOWN = 254  # marks a colour outside the palette inside the lookup table, never in a result


class ColorMoves:
    """Counts the pixels of masks that became the nearest colour of a palette; threads may add to it."""

    def __init__(self) -> None:
        self.pixels, self.moved, self.farthest = 0, 0, 0.0
        self._lock = Lock()

    def add(self, other: 'ColorMoves') -> None:
        """Add the counts of other masks."""
        with self._lock:
            self.pixels += other.pixels
            self.moved += other.moved
            self.farthest = max(self.farthest, other.farthest)

    def describe(self, tolerance: float) -> dict[str, float]:
        """Return tolerance, share of the pixels that moved, and largest distance, for ``dataset.json``."""
        return {
            'tolerance': tolerance,
            'moved_share': round(self.moved / max(self.pixels, 1), 6),
            'largest_distance': round(self.farthest, 2),
        }


@lru_cache(maxsize=8)
def _lookup_table(palette: Palette) -> np.ndarray:
    table = np.full(1 << 24, _UNKNOWN, np.uint8)
    for index, (red, green, blue) in enumerate(palette.colors):
        table[red << 16 | green << 8 | blue] = index
    for red, green, blue in palette.ignore_colors:
        table[red << 16 | green << 8 | blue] = IGNORE_INDEX
    return table


def colors_to_index(
    mask_rgb: np.ndarray, palette: Palette, path: str | Path, moves: ColorMoves | None = None
) -> np.ndarray:
    """Turn a colour mask into class indices.

    Args:
        mask_rgb: RGB mask, uint8.
        palette: Colours to expect.
        path: Where the mask came from, for the message.
        moves: Counts the pixels that become the nearest colour.

    Shape:
        - mask_rgb: (H, W, 3); result: (H, W), uint8, classes from 0, 255 ignored.

    Raises:
        InputError: A colour is not in the palette, even within its tolerance.
    """
    if palette.binarise is not None:
        mask_rgb = np.where(mask_rgb >= palette.binarise, np.uint8(255), np.uint8(0))
    codes = mask_rgb[..., 0].astype(np.uint32) << 16
    codes |= mask_rgb[..., 1].astype(np.uint32) << 8
    codes |= mask_rgb[..., 2]
    index: np.ndarray = _lookup_table(palette)[codes]
    unknown = index == _UNKNOWN
    moved, farthest = 0, 0.0
    if unknown.any():
        found, places, counts = np.unique(codes[unknown], return_inverse=True, return_counts=True)
        nearest, distances = _nearest(found, palette)
        far = distances > palette.tolerance
        if far.any():
            raise InputError(_unknown_colors_message(found[far], counts[far], distances.max(), palette, path))
        index[unknown] = nearest[places]
        moved, farthest = int(counts.sum()), float(distances.max())
    if moves is not None:
        own = ColorMoves()
        own.pixels, own.moved, own.farthest = codes.size, moved, farthest
        moves.add(own)
    return index


def _nearest(codes: np.ndarray, palette: Palette) -> tuple[np.ndarray, np.ndarray]:
    """Return the index of the nearest colour of the palette and its distance, both (n,); the first of equal ones."""
    listed = np.array([*palette.colors, *palette.ignore_colors], np.int64)
    indices = np.array([*range(len(palette.colors)), *[IGNORE_INDEX] * len(palette.ignore_colors)], np.uint8)
    colors = np.stack([codes >> 16, codes >> 8 & 255, codes & 255], axis=-1).astype(np.int64)
    nearest, least = np.zeros(len(codes), np.int64), np.full(len(codes), np.iinfo(np.int64).max)
    for number, color in enumerate(listed):
        squared = ((colors - color) ** 2).sum(axis=1)
        nearest[squared < least] = number
        least = np.minimum(least, squared)
    return indices[nearest], np.sqrt(least)


def _unknown_colors_message(
    found: np.ndarray, counts: np.ndarray, farthest: float, palette: Palette, path: str | Path, shown: int = 4
) -> str:
    order = np.argsort(-counts, kind='stable')
    listed = ', '.join(f'#{found[i]:06X} ({counts[i]} pixels)' for i in order[:shown])
    more = f' and {len(found) - shown} more colors' if len(found) > shown else ''
    way_out = 'give the right --palette, or a JSON palette that lists the color as a class or under "ignore"'
    if palette.tolerance:
        way_out += f'; the farthest is {farthest:.1f} from a listed color, beyond the tolerance {palette.tolerance:g}'
    elif (found >> 16 == found & 255).all() and (found >> 8 == (found & 255) * 257).all():
        way_out += '; all are grey: an index mask needs a palette with "index_masks", a smeared one "tolerance"'
    elif len(found) > shown:
        way_out += (
            f'; a lossy or resampled mask takes the nearest color with --nearest-color {np.ceil(farthest):.0f} or '
            '"tolerance" in the palette'
        )
    return f'{path}: {listed}{more} not in palette {palette.name!r}; {way_out}'


def index_to_colors(index: np.ndarray, palette: Palette) -> np.ndarray:
    """Turn class indices into display colours.

    Indices outside the palette, 255 included, get the first ignore colour, black if there is none.

    Shape:
        - index: (H, W) uint8; result: (H, W, 3) uint8, RGB.
    """
    table = np.tile(np.array(palette.ignore_colors[0] if palette.ignore_colors else (0, 0, 0), np.uint8), (256, 1))
    table[: len(palette.colors)] = palette.colors
    colors: np.ndarray = table[index]
    return colors
