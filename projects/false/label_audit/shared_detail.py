"""Whether two pictures show the same place, told by their fine structure."""

import cv2
import numpy as np

SIDE, MARGIN = 64, 8  # of the compared pictures; how far one may be displaced in the other
_BLUR = 2.0  # pixels: coarser structure than this is left out, since many places share it
_AROUND, _NOISE = 3.0, 1.0  # pixels and grey levels: contrast is evened out over that distance, above that noise


def shared_detail(first: np.ndarray, second: np.ndarray) -> float:
    """Largest correlation of two pictures' details over all mirrored and turned positions and small displacements.

    Contrast is evened out first: else one strong edge, of a shore or of the nodata beside the imagery, would count for
    more than all the rest.

    Shape:
        - first, second: (H, W), float32

    Returns:
        -1 to 1; 1 for the same picture, -1 if one is flat.
    """
    inner = _detail(second)[MARGIN:-MARGIN, MARGIN:-MARGIN]
    whole, best = _detail(first), -1.0
    if min(inner.std(), whole.std()) < 1e-3:
        return best  # a correlation with something flat has no value
    for turns in range(4):
        for picture in (np.rot90(whole, turns), np.rot90(whole.T, turns)):
            scores = cv2.matchTemplate(np.ascontiguousarray(picture), inner, cv2.TM_CCOEFF_NORMED)
            best = max(best, float(np.nan_to_num(scores, posinf=-1).max()))
    return best


def _detail(grey: np.ndarray) -> np.ndarray:
    small = cv2.resize(grey, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    detail = small - cv2.GaussianBlur(small, (0, 0), _BLUR)
    contrast = np.sqrt(cv2.GaussianBlur(detail * detail, (0, 0), _AROUND))
    return np.ascontiguousarray(detail / (contrast + _NOISE))
