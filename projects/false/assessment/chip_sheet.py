"""A page with a picture of every place to check, so that its class can be read off without opening QGIS."""

import base64
import html
from pathlib import Path

import cv2
import numpy as np
from rasterio.io import DatasetReader

from projects.false.common.errors import InputError
from projects.false.imagery.images import band_order
from projects.false.imagery.levels import to_8_bit
from projects.false.imagery.pixels import band_count, has_transparency, read_window
from projects.false.imagery.rasters import open_raster
from projects.false.reports.page import page

from .class_map import ClassMap
from .places import Places

SIDE = 192  # of a picture, in pixels
NEAR = 48  # side of what the close-up shows, in pixels of the image
_STRETCH = (1, 99)  # percentiles of a picture that become black and white, for images of other types than 8 bit


def chip_sheet(image: Path, opened: ClassMap, places: Places) -> str:
    """Lay out all places: their surroundings and a close-up side by side, with a square around the pixel in question.

    The classes of the map are not shown, since whoever knows them tends to agree with them.

    Args:
        image: The image that was mapped.
        opened: The map.
        places: The places, in the order of their numbers.

    Returns:
        An HTML document that needs no other file, about 20 kB per place.

    Raises:
        InputError: The image cannot be read, or has another size than the map.
    """
    with open_raster(image) as raster:
        if raster.shape != (opened.height, opened.width):
            raise InputError(
                f'{image}: has {raster.width} x {raster.height} pixels, the map {opened.width} x {opened.height}; give '
                'the image that was mapped'
            )
        chips = [
            _figure(number, _chip(raster, int(row), int(column)))
            for number, (row, column) in enumerate(zip(places.rows, places.columns, strict=True), 1)
        ]
    names = ', '.join(html.escape(name) for name in opened.classes)
    lead = (
        f'<p>{len(chips)} places in random order. Write the class of the pixel inside the square into the column '
        '<code>reference</code> of places.gpkg, in the row with the same id. Leave it empty where nobody can tell.</p>'
        f'<p>Classes: {names}.</p>'
    )
    grid = f'<div style="display:flex;flex-wrap:wrap;gap:14px">{"".join(chips)}</div>'
    return page(f'Places to check: {opened.path.name}', lead, [('Places', grid)])


def _figure(number: int, picture: np.ndarray) -> str:
    jpeg = cv2.imencode('.jpg', picture, [cv2.IMWRITE_JPEG_QUALITY, 88])[1]
    data = base64.b64encode(jpeg.tobytes()).decode('ascii')
    height, width = picture.shape[:2]
    return (
        f'<figure style="margin:0"><img width="{width}" height="{height}" alt="place {number}" '
        f'src="data:image/jpeg;base64,{data}"><figcaption>{number}</figcaption></figure>'
    )


def _chip(raster: DatasetReader, row: int, column: int) -> np.ndarray:
    """Return surroundings and close-up of a pixel, (SIDE, 2 SIDE + 4, 3), blue first; white outside the image."""
    count = band_count(raster) - has_transparency(raster)
    bands = (1, 2, 3) if count >= 3 else (1,)
    top, left = row - SIDE // 2, column - SIDE // 2
    first, begin = max(top, 0), max(left, 0)
    height, width = min(top + SIDE, raster.height) - first, min(left + SIDE, raster.width) - begin
    pixels, valid = read_window(raster, bands, first, begin, height, width)
    ranges = None if pixels.dtype == np.uint8 else _ranges(pixels, valid)
    shown = to_8_bit(pixels, valid, ranges)[..., band_order(len(bands))]  # a single band fills all three
    wide = np.full((SIDE, SIDE, 3), 255, np.uint8)
    wide[first - top : first - top + height, begin - left : begin - left + width][valid] = shown[valid]
    middle, half, grow = SIDE // 2, NEAR // 2, SIDE // NEAR
    inner = wide[middle - half : middle + half, middle - half : middle + half]
    near = cv2.resize(inner, None, fx=grow, fy=grow, interpolation=cv2.INTER_NEAREST)
    _mark(wide, middle - 4, middle + 4)
    _mark(near, half * grow - 1, half * grow + grow)
    return np.concatenate([wide, np.full((SIDE, 4, 3), 255, np.uint8), near], axis=1)


def _mark(picture: np.ndarray, low: int, high: int) -> None:
    """Draw a square whose line lies just outside the pixels it surrounds: white within black, seen on any ground."""
    cv2.rectangle(picture, (low - 1, low - 1), (high + 1, high + 1), (0, 0, 0), 1)
    cv2.rectangle(picture, (low, low), (high, high), (255, 255, 255), 1)


def _ranges(pixels: np.ndarray, valid: np.ndarray) -> list[tuple[float, float]]:
    found = []
    for band in range(pixels.shape[2]):
        values = pixels[..., band][valid]
        low, high = np.percentile(values, _STRETCH) if len(values) else (0, 1)
        found.append((float(low), float(max(high, low + 1))))
    return found
