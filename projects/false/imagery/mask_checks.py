"""Check that a mask fits its classes and its image."""

from pathlib import Path

import numpy as np

from projects.false.common.errors import InputError

from .palettes import IGNORE_INDEX


def check_index_values(mask: np.ndarray, path: str | Path, num_classes: int, ignore_index: int = IGNORE_INDEX) -> None:
    """Check that a mask holds nothing but class indices and the ignore index.

    Args:
        mask: Class indices, uint8.
        path: Where the mask came from, for the message.
        num_classes: Classes are 0 to num_classes - 1.
        ignore_index: Value of pixels without a label.

    Raises:
        InputError: The mask holds a value that is no class.
    """
    values = np.flatnonzero(np.bincount(mask.ravel(), minlength=256))
    wrong = [int(value) for value in values if value >= num_classes and value != ignore_index]
    if wrong:
        way_out = 'check the classes of the config and the palette of the conversion'
        if 255 in values and 0 in values:
            way_out += (
                '; grey levels of a smeared mask need a palette of #000000 and #FFFFFF with "tolerance", without '
                '"index_masks"'
            )
        raise InputError(
            f'{path}: values {wrong} are neither classes (0 to {num_classes - 1}) nor the ignore index {ignore_index}; '
            f'{way_out}'
        )


def check_sizes(
    mask: tuple[int, ...],
    image: tuple[int, ...],
    mask_path: object,
    image_path: object,
    otherwise: str = 'give the mask of this image',
) -> None:
    """Refuse a mask whose size differs from that of its image, and say how to mend the usual causes.

    Args:
        mask, image: Height and width in pixels; more dimensions do not count.
        mask_path, image_path: Where both came from, for the message.
        otherwise: Advice for sizes that have nothing in common.

    Raises:
        InputError: The sizes differ.
    """
    (rows, columns), (height, width) = mask[:2], image[:2]
    if (rows, columns) == (height, width):
        return
    way_out = otherwise
    if max(abs(rows - height), abs(columns - width)) <= max(2, min(height, width) // 50):
        way_out = (
            f'where both begin at the upper left, cut the larger: gdal_translate -srcwin 0 0 {min(columns, width)} '
            f'{min(rows, height)} FILE NEW_FILE'
        )
    elif (rows, columns) == (width, height):
        way_out = 'one of them lies on its side: turn it, and save the image without an orientation tag'
    elif abs(rows * width - columns * height) <= max(rows, columns, height, width):
        way_out = f'bring the mask to that size: gdal_translate -r nearest -outsize {width} {height} FILE NEW_FILE'
    raise InputError(
        f'{mask_path}: mask of {rows} x {columns} pixels (height x width), but its image {image_path} has '
        f'{height} x {width}; {way_out}'
    )
