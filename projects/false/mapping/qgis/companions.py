"""Files beside a map: names and colours for GDAL and QGIS, a table of areas, and polygons."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import rasterio
from rasterio.crs import CRS
from rasterio.io import DatasetReader
from rasterio.transform import Affine
from rasterio.windows import Window

from projects.false.common.errors import InputError
from projects.false.imagery.palettes import Palette
from projects.false.imagery.rasters import Raster
from projects.false.vectors.polygon_file import MapGround, PolygonFile

from ..class_map_file import NODATA, TILE

# Name, type and usage of the columns of class names; the numbers are GDAL's GDALRATFieldType and GDALRATFieldUsage.
_COLUMNS = (('Value', 0, 5), ('Class', 2, 2), ('Red', 0, 6), ('Green', 0, 7), ('Blue', 0, 8))


def class_names_xml(palette: Palette) -> str:
    """Return the content of ``MAP.tif.aux.xml``: category names, and an attribute table with names and colours."""
    root = ElementTree.Element('PAMDataset')
    band = ElementTree.SubElement(root, 'PAMRasterBand', band='1')
    names = ElementTree.SubElement(band, 'CategoryNames')
    for name in palette.classes:
        ElementTree.SubElement(names, 'Category').text = name
    table = ElementTree.SubElement(band, 'GDALRasterAttributeTable', tableType='thematic')
    for index, (name, kind, usage) in enumerate(_COLUMNS):
        column = ElementTree.SubElement(table, 'FieldDefn', index=str(index))
        for key, value in (('Name', name), ('Type', kind), ('Usage', usage)):
            ElementTree.SubElement(column, key).text = str(value)
    for index, (name, color) in enumerate(zip(palette.classes, palette.colors, strict=True)):
        row = ElementTree.SubElement(table, 'Row', index=str(index))
        for cell in (index, name, *color):
            ElementTree.SubElement(row, 'F').text = str(cell)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding='unicode') + '\n'


def area_table(counts: np.ndarray, classes: Sequence[str], hectares: float | None) -> str:
    """Return a CSV table of pixels, share of the mapped pixels, and hectares per class, with nodata last.

    Args:
        counts: Number of pixels per value of the map, 255 for nodata.
        classes: Names of the classes.
        hectares: Area of a pixel, see :func:`.class_map_file.pixel_hectares`; None leaves the column empty.

    Shape:
        - counts: (256,)
    """
    mapped = max(int(counts[: len(classes)].sum()), 1)
    text = io.StringIO()
    table = csv.writer(text, lineterminator='\n')
    table.writerow(('value', 'class', 'pixels', 'percent', 'hectares'))
    for value, name in (*enumerate(classes), (NODATA, 'nodata')):
        count = int(counts[value])
        percent = '' if value == NODATA else f'{100 * count / mapped:.4f}'
        table.writerow((value, name, count, percent, '' if hectares is None else f'{count * hectares:.4f}'))
    return text.getvalue()


def check_place(raster: Raster) -> None:
    """Refuse an image on which polygons would have no place and no area, before it is mapped.

    Raises:
        InputError: The image has only control points or coefficients, or its reference system or transform are
            unusable.
    """
    place: dict[str, Any] = raster.place
    if 'transform' not in place and {'gcps', 'rpcs'} & place.keys():
        raise InputError(
            f'{raster.path}: has control points or RPCs and no transform, so polygons have no place; warp it first: '
            f'gdalwarp {raster.path.name} {raster.stem}_warped.tif'
        )
    crs = CRS.from_user_input(place['crs']) if 'crs' in place else None
    transform = Affine(*place['transform']) if 'transform' in place else None
    MapGround(raster.path, raster.height, raster.width, crs, transform)


def trace_map(polygons: PolygonFile, classes: Path, confidence: Path) -> None:
    """Trace a finished map, strip by strip; every polygon has the mean confidence of its pixels."""
    with rasterio.open(classes, driver='GTiff') as map_, rasterio.open(confidence, driver='GTiff') as sure:

        def read(row: int, rows: int, dataset: DatasetReader = map_) -> np.ndarray:
            found: np.ndarray = dataset.read(1, window=Window(0, row, dataset.width, rows))
            return found

        for row in range(0, map_.height, TILE):
            rows = min(TILE, map_.height - row)
            polygons.add(read(row, rows), read(row, rows, sure))
        polygons.write(read)
