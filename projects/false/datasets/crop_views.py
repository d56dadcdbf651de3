"""The geometry of a view on uint8: a random crop, resized, perhaps mirrored."""

import math

import cv2
import numpy as np
import torch
from torch.nn.functional import interpolate

from .views.steps import uniform


def crop_window(
    height: int, width: int, scale: tuple[float, float], ratio: tuple[float, float]
) -> tuple[int, int, int, int]:
    """Draw the window of a random resized crop: area uniform in ``scale``, log aspect uniform in ``ratio``.

    Returns:
        Row, column, height and width in pixels; the largest centred window within ``ratio`` after ten failed draws.
    """
    for _ in range(10):
        area = height * width * uniform(*scale)
        aspect = math.exp(uniform(math.log(ratio[0]), math.log(ratio[1])))
        tall, wide = round(math.sqrt(area / aspect)), round(math.sqrt(area * aspect))
        if 0 < tall <= height and 0 < wide <= width:
            return np.random.randint(height - tall + 1), np.random.randint(width - wide + 1), tall, wide
    wide = min(width, round(height * ratio[1]))
    tall = min(height, round(width / ratio[0]))
    return (height - tall) // 2, (width - wide) // 2, tall, wide


def square_window(height: int, width: int, side: int | None) -> tuple[int, int, int, int]:
    """Draw a square of an image, at most its sides; None gives the whole image.

    Returns:
        Row, column, height and width in pixels.
    """
    if side is None:
        return 0, 0, height, width
    tall, wide = min(side, height), min(side, width)
    return np.random.randint(height - tall + 1), np.random.randint(width - wide + 1), tall, wide


def resize(image: np.ndarray, size: int, shrink: str = 'triangle') -> np.ndarray:
    """Resize to ``size`` x ``size``, bilinear, averaging where that makes the image smaller.

    Args:
        image: Any number of bands.
        size: Side in pixels.
        shrink: How to average. ``'triangle'`` widens the bilinear kernel, which is what Pillow calls bilinear;
            ``'area'`` averages over the source area of a pixel, which is sharper, and slower for large views.

    Shape:
        - image: (H, W, C) uint8; result: (size, size, C) uint8.
    """
    height, width = image.shape[:2]
    if (height, width) == (size, size):
        return image
    if shrink == 'area':
        smaller = height * width > size * size
        return cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR)
    if height <= size and width <= size:
        return cv2.resize(image, (size, size))
    # PyTorch gives what Pillow gives, in a sixth of the time, as long as it can tell that colours come last: a batch
    # of one that is permuted as a whole, not an image that is permuted and then made a batch.
    batch = torch.from_numpy(image)[None].permute(0, 3, 1, 2)
    made = interpolate(batch, size=(size, size), mode='bilinear', antialias=True)
    return np.ascontiguousarray(made.permute(0, 2, 3, 1)[0].numpy())


def mirrored(image: np.ndarray, horizontally: bool, vertically: bool) -> np.ndarray:
    """Mirror an image, both ways in one pass."""
    if horizontally or vertically:
        return cv2.flip(image, -1 if horizontally and vertically else int(horizontally))
    return image


def bands_first(view: np.ndarray) -> np.ndarray:
    """The same array (H, W, C), stored band by band, so that packing it as (C, H, W) costs nothing more."""
    stored = np.empty((view.shape[2], *view.shape[:2]), view.dtype)
    cv2.split(view, list(stored))
    return stored.transpose(1, 2, 0)
