"""Pixels as pictures that lie inside the page."""

import base64

import cv2
import numpy as np

from projects.false.datasets.color_codes import IGNORE_INDEX, index_to_colors
from projects.false.datasets.palette import Palette

SIDE = 256
_IGNORED_GREYS = (150, 110)  # two greys in stripes: a plain grey may be the colour of a class


def photo(image: np.ndarray) -> np.ndarray:
    """An image as it is, or made smaller to at most :data:`SIDE` pixels.

    Shape:
        - image: (H, W, 3), uint8; result: the same kind.
    """
    shrink = SIDE / max(image.shape[:2])
    if shrink >= 1:
        return image
    return cv2.resize(image, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)


def three_bands(image: np.ndarray) -> np.ndarray:
    """An image of any bands, (H, W, bands), as a picture, (H, W, 3): the first three, or the first one in grey."""
    return np.ascontiguousarray(image[..., :3] if image.shape[2] >= 3 else image[..., :1].repeat(3, axis=2))


def mask_picture(index: np.ndarray, palette: Palette) -> np.ndarray:
    """A mask in the colours of its classes, brought to about :data:`SIDE` pixels by repeating or leaving out pixels.

    Ignored pixels become grey stripes.

    Shape:
        - index: (H, W), uint8, classes from 0, 255 ignored; result: (h, w, 3), uint8, BGR.
    """
    longest = max(index.shape)
    factor = max(1, SIDE // longest) if longest <= SIDE else SIDE / longest
    index = cv2.resize(index, None, fx=factor, fy=factor, interpolation=cv2.INTER_NEAREST_EXACT)
    colors = index_to_colors(index, palette)
    rows, columns = np.indices(index.shape)
    stripes = np.where((rows + columns) % 12 < 6, *map(np.uint8, _IGNORED_GREYS))
    return np.where((index == IGNORE_INDEX)[..., None], stripes[..., None], colors[..., ::-1])


def embedded(picture: np.ndarray, alt: str) -> str:
    """An ``<img>`` element that holds its PNG.

    Args:
        picture: (H, W, 3), uint8, BGR.
        alt: Text in its place, escaped already.
    """
    png = cv2.imencode('.png', np.ascontiguousarray(picture), [cv2.IMWRITE_PNG_COMPRESSION, 9])[1]
    data = base64.b64encode(png.tobytes()).decode('ascii')
    height, width = picture.shape[:2]
    return f'<img width="{width}" height="{height}" alt="{alt}" src="data:image/png;base64,{data}">'
