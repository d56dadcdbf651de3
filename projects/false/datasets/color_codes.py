"""From mask colours to class indices and back."""

from functools import lru_cache
from pathlib import Path

import numpy as np

from projects.false.errors import InputError

from .palette import Palette

IGNORE_INDEX = 255
_UNKNOWN = 254  # marks a colour outside the palette inside the lookup table, never in a result


@lru_cache(maxsize=8)
def _lookup_table(palette: Palette) -> np.ndarray:
    table = np.full(1 << 24, _UNKNOWN, np.uint8)
    for index, (red, green, blue) in enumerate(palette.colors):
        table[red << 16 | green << 8 | blue] = index
    for red, green, blue in palette.ignore_colors:
        table[red << 16 | green << 8 | blue] = IGNORE_INDEX
    return table


def colors_to_index(mask_rgb: np.ndarray, palette: Palette, path: str | Path) -> np.ndarray:
    """Turn a colour mask into class indices.

    Args:
        mask_rgb: RGB mask, uint8.
        palette: Colours to expect.
        path: Where the mask came from, for the message.

    Shape:
        - mask_rgb: (H, W, 3); result: (H, W), uint8, classes from 0, 255 ignored.

    Raises:
        InputError: A colour that the palette does not list.
    """
    if palette.binarise is not None:
        mask_rgb = np.where(mask_rgb >= palette.binarise, np.uint8(255), np.uint8(0))
    codes = mask_rgb[..., 0].astype(np.uint32) << 16
    codes |= mask_rgb[..., 1].astype(np.uint32) << 8
    codes |= mask_rgb[..., 2]
    index = _lookup_table(palette)[codes]
    unknown = index == _UNKNOWN
    if unknown.any():
        raise InputError(_unknown_colors_message(codes[unknown], palette, path))
    return index


def _unknown_colors_message(codes: np.ndarray, palette: Palette, path: str | Path, shown: int = 4) -> str:
    found, counts = np.unique(codes, return_counts=True)
    order = np.argsort(-counts, kind='stable')
    listed = ', '.join(f'#{found[i]:06X} ({counts[i]} pixels)' for i in order[:shown])
    more = f' and {len(found) - shown} more colors' if len(found) > shown else ''
    way_out = 'give the right --palette, or a JSON palette that lists the color as a class or under "ignore"'
    if (found >> 16 == found & 255).all() and (found >> 8 == (found & 255) * 257).all():
        way_out += '; all are grey: an index mask needs a palette with "index_masks"'
    elif palette.binarise is None and len(found) > shown:
        way_out += '; many colors suggest a lossy or resampled mask: use the original'
    return f'{path}: {listed}{more} not in palette {palette.name!r}; {way_out}'


def index_to_colors(index: np.ndarray, palette: Palette) -> np.ndarray:
    """Turn class indices into display colours.

    Indices outside the palette, 255 included, get the first ignore colour, black if there is none.

    Shape:
        - index: (H, W) uint8; result: (H, W, 3) uint8, RGB.
    """
    table = np.tile(np.uint8(palette.ignore_colors[0] if palette.ignore_colors else (0, 0, 0)), (256, 1))
    table[: len(palette.colors)] = palette.colors
    return table[index]
