"""Make blocks of pixels one pixel: images take the average, masks the most common class."""

import numpy as np

from projects.false.common.errors import InputError
from projects.false.imagery.palettes import IGNORE_INDEX


def shrink_pair(
    image: np.ndarray, index: np.ndarray, valid: np.ndarray, side: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Shrink an image and its mask; where half of a block or more has no data, its pixel has none and is ignored.

    Args:
        image: Any number of bands, uint8.
        index: Class indices, uint8, 255 ignored.
        valid: Which pixels are data, bool.
        side: Side of the blocks in pixels, at least 1.

    Returns:
        Image, mask and valid pixels; pixels without data are 0 and 255.

    Shape:
        - image: (H, W, bands); index and valid: (H, W); results: H / side and W / side in place of H and W

    Raises:
        InputError: ``side`` does not divide height and width.
    """
    small = shrink_mask(valid.astype(np.uint8), side) > 0
    image = np.where(small[..., None], shrink_image(image, side, valid), np.uint8(0))
    index = shrink_mask(np.where(valid, index, np.uint8(IGNORE_INDEX)), side)
    return image, np.where(small, index, np.uint8(IGNORE_INDEX)), small


def shrink_image(image: np.ndarray, side: int, valid: np.ndarray | None = None) -> np.ndarray:
    """Average blocks of pixels into one pixel each, rounding half up; the ground sample distance grows ``side`` times.

    Args:
        image: Any number of bands, uint8.
        side: Side of the blocks in pixels, at least 1; 1 returns the image as it is.
        valid: Which pixels count, bool; None counts all. A block without any becomes 0.

    Shape:
        - image: (H, W, bands); valid: (H, W); result: (H / side, W / side, bands)

    Raises:
        InputError: ``side`` does not divide height and width.
    """
    if side == 1:
        return image
    height, width = _block_counts(image, side)
    blocks = image.reshape(height, side, width, side, -1)
    if valid is None:
        sums, counts = blocks.sum((1, 3), dtype=np.uint32), np.uint32(side * side)
    else:
        shown = valid.reshape(height, side, width, side, 1)
        sums = np.where(shown, blocks, np.uint8(0)).sum((1, 3), dtype=np.uint32)
        counts = np.maximum(shown.sum((1, 3), dtype=np.uint32), 1)
    average: np.ndarray = ((sums + counts // 2) // counts).astype(np.uint8)
    return average


def shrink_mask(index: np.ndarray, side: int) -> np.ndarray:
    """Take the most common value of each block of pixels, 255 included; on a tie, take the lowest.

    Args:
        index: Class indices, uint8, 255 ignored.
        side: Side of the blocks in pixels, at least 1; 1 returns the mask as it is.

    Shape:
        - index: (H, W); result: (H / side, W / side)

    Raises:
        InputError: ``side`` does not divide height and width.
    """
    if side == 1:
        return index
    height, width = _block_counts(index, side)
    blocks = index.reshape(height, side, width, side)
    result, most = np.zeros((height, width), np.uint8), np.zeros((height, width), np.int64)
    for value in np.unique(index):
        count = (blocks == value).sum((1, 3))
        result[count > most] = value
        most = np.maximum(most, count)
    return result


def _block_counts(pixels: np.ndarray, side: int) -> tuple[int, int]:
    height, width = pixels.shape[:2]
    if height % side or width % side:
        raise InputError(
            f'{height} x {width} pixels do not split into blocks of --shrink {side}; give a common divisor'
        )
    return height // side, width // side
