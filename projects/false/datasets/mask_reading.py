"""Masks of any allowed kind as class indices, from files that are whole."""

from pathlib import Path

import cv2
import numpy as np

from projects.false.errors import InputError
from projects.false.imagery.file_checks import check_complete
from projects.false.imagery.images import RASTER_SUFFIXES, read_image, read_index_mask

from .color_codes import IGNORE_INDEX, colors_to_index
from .palette import Palette


def read_mask(path: Path, palette: Palette) -> np.ndarray:
    """Read a mask as class indices.

    Args:
        path: RGB or palette PNG, RGB TIFF; a single-band index mask where the palette says so.
        palette: Classes and colours.

    Shape:
        - result: (H, W), uint8, classes from 0, 255 ignored

    Raises:
        InputError: The file is damaged, or holds something that the palette does not list.
    """
    if palette.index_masks:
        return read_index_mask(path, len(palette.classes), IGNORE_INDEX)
    if path.suffix.lower() in RASTER_SUFFIXES:
        mask = read_image(path)
    else:
        # Unlike read_image this takes grey and transparent PNGs too: only the colours count, and they are checked.
        check_complete(path)
        mask = cv2.imread(str(path), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
        if mask is None:
            raise InputError(f'{path}: cannot be read as a mask; the file is damaged or no image, replace it')
    return _in_strips(mask[..., ::-1], palette, path)


def _in_strips(colors: np.ndarray, palette: Palette, path: Path, rows: int = 512) -> np.ndarray:
    """:func:`colors_to_index` with working memory for some rows only: a 6000 x 6000 mask would take half a gigabyte."""
    index = np.empty(colors.shape[:2], np.uint8)
    try:
        for start in range(0, len(colors), rows):
            index[start : start + rows] = colors_to_index(colors[start : start + rows], palette, path)
    except InputError:
        colors_to_index(colors, palette, path)  # once more, so that the message counts the pixels of the whole mask
        raise
    return index
