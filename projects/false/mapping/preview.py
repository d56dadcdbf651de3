"""Draw an image beside its map, with the names of the classes."""

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import rasterio
from PIL import Image, ImageDraw

from projects.false.imagery.levels import to_8_bit
from projects.false.imagery.palettes import Palette
from projects.false.imagery.pixels import read_window
from projects.false.imagery.rasters import Raster, open_raster
from projects.false.reports.pictures import font_of

from .class_map_file import NODATA
from .pixel_rule import PixelRule

_SIDE, _GAP, _LINE = 512, 10, 22  # pixels
_ROWS = 1024  # rows of the image that are read at once
_INK, _MUTED = (28, 31, 35), (96, 103, 111)


def preview_png(raster: Raster, rule: PixelRule, map_path: Path, palette: Palette) -> bytes:
    """Draw an image and its map side by side, at most 512 pixels each, above a legend of the classes that occur.

    Returns:
        A PNG file.
    """
    shrink = min(1, _SIDE / max(raster.height, raster.width))
    shape = max(1, round(raster.height * shrink)), max(1, round(raster.width * shrink))
    bands = rule.bands[:3] if len(rule.bands) >= 3 else rule.bands[:1]
    ranges = rule.ranges and rule.ranges[: len(bands)]
    photo = _photo(raster, bands, ranges, shape)
    with rasterio.open(map_path, driver='GTiff') as dataset:
        classes = dataset.read(1, out_shape=shape)
    colors = np.full((256, 3), 255, np.uint8)
    colors[: len(palette.colors)] = palette.colors
    return _png([photo, colors[classes]], _present(classes, palette))


def _photo(raster: Raster, bands: Sequence[int], ranges: Sequence | None, shape: tuple[int, int]) -> np.ndarray:
    """Return the image at a lower resolution, (*shape, 3), uint8, white where there is no data.

    Rows are read in parts, since GDAL reads band by band and would decode a large file once per band.
    """
    count = -(-raster.height // _ROWS)
    found = []
    with open_raster(raster.path) as opened:
        for number in range(count):
            first, stop = (shape[0] * edge // count for edge in (number, number + 1))
            row, below = (raster.height * edge // shape[0] for edge in (first, stop))
            if first < stop:
                part = stop - first, shape[1]
                pixels, valid = read_window(opened, bands, row, 0, below - row, raster.width, part)
                found.append(np.where(valid[..., None], to_8_bit(pixels, valid, ranges), np.uint8(255)))
    return np.concatenate(found).repeat(3 // len(bands), axis=2)


def _present(classes: np.ndarray, palette: Palette) -> list[tuple[str, tuple[int, int, int]]]:
    counts = np.bincount(classes.ravel(), minlength=256)
    found = [
        item for item, count in zip(zip(palette.classes, palette.colors, strict=True), counts, strict=False) if count
    ]
    return found + [('no data', (255, 255, 255))] * bool(counts[NODATA])


def _png(pictures: list[np.ndarray], legend: list[tuple[str, tuple[int, int, int]]]) -> bytes:
    font, (height, width) = font_of(13), pictures[0].shape[:2]
    wide = max(len(pictures) * (width + _GAP) + _GAP, 240)
    items, left, line = [], _GAP, 0
    for name, color in legend:
        length = 17 + round(font.getlength(name)) + 16
        if left + length > wide and left > _GAP:
            left, line = _GAP, line + 1
        items.append((left, height + 2 * _GAP + _LINE * line, name, color))
        left += length
    sheet = Image.new('RGB', (wide, height + 2 * _GAP + _LINE * (line + 1)), 'white')
    draw = ImageDraw.Draw(sheet)
    for number, picture in enumerate(pictures):
        sheet.paste(Image.fromarray(picture), (_GAP + number * (width + _GAP), _GAP))
    for x, y, name, color in items:
        draw.rectangle((x, y + 3, x + 11, y + 14), color, _MUTED)
        draw.text((x + 17, y), name, _INK, font)
    file = io.BytesIO()
    sheet.save(file, 'PNG', optimize=True)
    return file.getvalue()
