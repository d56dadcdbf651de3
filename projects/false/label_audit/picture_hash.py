"""Short codes of pictures: alike for the same picture after compression, rescaling or another brightness."""

import cv2
import numpy as np

from projects.false.errors import InputError

SIDE, FREQUENCIES = 32, 8
BLANK = 1.0  # grey levels: below this standard deviation there is nothing to recognise
_BIT = np.uint64(1) << np.arange(FREQUENCIES**2, dtype=np.uint64)
_ODD = np.arange(FREQUENCIES) % 2 == 1


def grey_of_bands(image: np.ndarray) -> np.ndarray:
    """Mean of the first three bands.

    Shape:
        - image: (H, W, B), uint8; result: (H, W), float32.
    """
    return image[..., :3].mean(axis=2, dtype=np.float32)


def orientation_codes(grey: np.ndarray) -> np.ndarray | None:
    """Codes of a picture as it is, mirrored and turned: seen from above, no side is up.

    A code holds the signs of the lowest 8 x 8 frequencies of the cosine transform of a 32 x 32 thumbnail, without the
    mean, as 64 bits. Mirroring flips the signs of odd frequencies and transposing swaps rows and columns, so that one
    transform gives all eight.

    Args:
        grey: The picture.

    Shape:
        - grey: (H, W), float32; result: (8,), uint64, the first of the picture as it is. None if it is blank.
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
