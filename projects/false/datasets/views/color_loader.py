"""The colour steps applied by the loader: uint8 images, blue first, one view at a time, with OpenCV."""

from functools import lru_cache

import cv2
import numpy as np

from .steps import NEUTRAL, ViewSteps

LUMA = np.array([0.114, 0.587, 0.299])  # weights of blue, green and red
_IDENTITY = np.eye(3, 4)  # cv2.transform adds the fourth column


def apply_steps(view: np.ndarray, steps: ViewSteps) -> np.ndarray:
    """Apply jitter and greyscale to the first three bands, then the blur to all.

    Shape:
        - view: (H, W, C) uint8, C >= 3 for jitter and greyscale, the first three blue, green and red; result: the same.
    """
    if steps.grey or steps.amounts != NEUTRAL:
        colors = view if view.shape[2] == 3 else np.ascontiguousarray(view[..., :3])
        for step in steps.order:
            if steps.amounts[step] != NEUTRAL[step]:
                colors = ADJUST[step](colors, steps.amounts[step])
        if steps.grey:
            colors = grey_of(colors)
        view = colors if view.shape[2] == 3 else np.concatenate([colors, view[..., 3:]], axis=2)
    return blur(view, steps.sigma) if steps.sigma else view


def grey_of(image: np.ndarray) -> np.ndarray:
    """Return the luma of a BGR image, repeated to three bands."""
    return cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)


def adjust_brightness(image: np.ndarray, factor: float) -> np.ndarray:
    """Multiply all grey levels by ``factor``."""
    return cv2.convertScaleAbs(image, alpha=factor)


def adjust_contrast(image: np.ndarray, factor: float) -> np.ndarray:
    """Stretch grey levels away from the mean luma, or compress them towards it."""
    mean = round(float(LUMA @ cv2.mean(image)[:3]))
    # The same result as a lookup table, in half the time.
    matrix = factor * _IDENTITY
    matrix[:, 3] = mean * (1 - factor)
    return cv2.transform(image, matrix)


def adjust_saturation(image: np.ndarray, factor: float) -> np.ndarray:
    """Blend with the grey image: one 3 x 3 matrix serves every pixel."""
    return cv2.transform(image, factor * _IDENTITY[:, :3] + (1 - factor) * LUMA)


def adjust_hue(image: np.ndarray, shift: float) -> np.ndarray:
    """Rotate the hue by ``shift`` of a full circle, in [-0.5, 0.5]."""
    hsv = cv2.cvtColor(image, cv2.COLOR_BGR2HSV_FULL)
    height, width, _ = hsv.shape
    rows = hsv.reshape(height, width * 3)
    # Adding 0 to saturation and value is faster than skipping them. uint8 wraps around, like the circle of hues.
    np.add(rows, _hue_only(width) * np.uint8(round(shift * 255) % 256), out=rows)
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR_FULL)


@lru_cache(maxsize=8)
def _hue_only(width: int) -> np.ndarray:
    """Return a row of ``width`` HSV pixels with 1 as hue and 0 elsewhere."""
    return np.tile(np.array([1, 0, 0], np.uint8), width)


def blur(image: np.ndarray, sigma: float) -> np.ndarray:
    """Blur all bands by a Gaussian; within one grey level of ``cv2.GaussianBlur``, in half its time.

    Args:
        image: uint8, any number of bands.
        sigma: Standard deviation in pixels, rounded to hundredths.
    """
    hundredths = round(100 * sigma)
    if hundredths < 1:
        return image
    kernel = _blur_kernel(hundredths)
    return cv2.sepFilter2D(image, -1, kernel, kernel).reshape(image.shape) if len(kernel) > 1 else image


@lru_cache(maxsize=256)
def _blur_kernel(hundredths: int) -> np.ndarray:
    """Return a Gaussian kernel in 256ths, OpenCV's own precision, without weights that round to 0; its sum is 1."""
    sigma = hundredths / 100
    offsets = np.arange(-int(4 * sigma + 1), int(4 * sigma + 1) + 1)
    weights = np.exp(-0.5 * (offsets / sigma) ** 2)
    weights = np.rint(256 * weights / weights.sum())
    weights[len(weights) // 2] += 256 - weights.sum()
    return (weights[weights > 0] / 256).astype(np.float32)


ADJUST = (adjust_brightness, adjust_contrast, adjust_saturation, adjust_hue)
