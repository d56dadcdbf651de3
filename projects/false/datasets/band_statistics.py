"""Mean and standard deviation of every band, exact and in bounded memory: from counts of the 256 grey levels."""

import cv2
import numpy as np


def count_levels(pixels: np.ndarray, valid: np.ndarray | None = None) -> np.ndarray:
    """Count how often every grey level occurs in every band.

    Args:
        pixels: One patch.
        valid: Which pixels count, not 0; None counts all.

    Shape:
        - pixels: (H, W, B), uint8, at most 2**24 pixels; valid: (H, W), uint8
        - result: (B, 256), int64
    """
    return np.stack(
        [
            cv2.calcHist([np.ascontiguousarray(pixels[..., band])], [0], valid, [256], [0, 256]).ravel()
            for band in range(pixels.shape[-1])
        ]
    ).astype(np.int64)


def mean_and_std(counts: np.ndarray) -> tuple[list[float], list[float]]:
    """Mean and standard deviation of every band in grey levels, rounded to four digits.

    Shape:
        - counts: (B, 256)
    """
    levels = np.arange(256)
    total = np.maximum(counts.sum(axis=1), 1)
    mean = counts @ levels / total
    std = np.sqrt(np.maximum(counts @ levels**2 / total - mean**2, 0))
    return np.round(mean, 4).tolist(), np.round(std, 4).tolist()
