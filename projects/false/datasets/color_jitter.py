"""Colour steps of a view on uint8 BGR images, with OpenCV."""

import cv2
import numpy as np


def grey_of(image: np.ndarray) -> np.ndarray:
    """Luma of a BGR image, repeated to three bands."""
    return cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)


def adjust_brightness(image: np.ndarray, factor: float) -> np.ndarray:
    """Scale all grey levels."""
    return cv2.convertScaleAbs(image, alpha=factor)


def adjust_contrast(image: np.ndarray, factor: float) -> np.ndarray:
    """Spread grey levels around the mean luma."""
    mean = round(float(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY).mean()))
    table = np.clip(np.rint(np.arange(256) * factor + mean * (1 - factor)), 0, 255).astype(np.uint8)
    return cv2.LUT(image, table)


def adjust_saturation(image: np.ndarray, factor: float) -> np.ndarray:
    """Blend with the grey image."""
    return cv2.addWeighted(image, factor, grey_of(image), 1 - factor, 0)


def adjust_hue(image: np.ndarray, shift: float) -> np.ndarray:
    """Turn the hue by ``shift`` of a full circle, in [-0.5, 0.5]."""
    hsv = cv2.cvtColor(image, cv2.COLOR_BGR2HSV_FULL)
    hsv[..., 0] += np.uint8(round(shift * 255) % 256)
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR_FULL)
