"""Masks of any allowed kind as class indices, from files that are whole."""

from pathlib import Path

import cv2
import numpy as np

from projects.false.errors import InputError

from .pairs import LOSSY_SUFFIXES
from .palettes import IGNORE_INDEX, Palette, colors_to_index
from .reading import RASTER_SUFFIXES, read_image, read_index_mask


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
    check_complete(path)
    if palette.index_masks:
        return read_index_mask(path, len(palette.classes), IGNORE_INDEX)
    if path.suffix.lower() in RASTER_SUFFIXES:
        mask = read_image(path)
    else:
        # Unlike read_image this takes grey and transparent PNGs too: only the colours count, and they are checked.
        mask = cv2.imread(str(path), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
        if mask is None:
            raise InputError(f'{path}: cannot be read as a mask; the file is damaged or no image, replace it')
    return colors_to_index(mask[..., ::-1], palette, path)


def check_complete(path: Path) -> None:
    """Refuse a cut-off JPEG or PNG: OpenCV fills what is missing with grey or black and only warns.

    Raises:
        InputError: The file cannot be read, or its end is missing.
    """
    suffix = path.suffix.lower()
    data = path.read_bytes() if suffix not in RASTER_SUFFIXES else b''
    # In a whole JPEG an end marker follows the last scan (thumbnails come earlier); a whole PNG has an end chunk.
    cut_off = suffix in LOSSY_SUFFIXES and data.rfind(b'\xff\xd9') < data.rfind(b'\xff\xda')
    if cut_off or (suffix == '.png' and b'IEND' not in data[-4096:]):
        raise InputError(f'{path}: file is cut off ({len(data)} bytes); copy or download it again')
