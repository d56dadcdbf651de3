"""Files beside a map: names and colours for GDAL and QGIS, a table of areas, polygons, and whose they are."""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import rasterio
from rasterio.crs import CRS
from rasterio.errors import RasterioError
from rasterio.io import DatasetReader
from rasterio.transform import Affine
from rasterio.windows import Window

from projects.false.common.errors import InputError
from projects.false.common.files import writable
from projects.false.imagery.palettes import Palette
from projects.false.imagery.rasters import Raster
from projects.false.vectors.polygon_file import MapGround, PolygonFile, read_tags

from ..class_map_file import NODATA, TILE

FINGERPRINT = 'FINGERPRINT'  # tag of a map: a digest of image, model and windows
MAP = '_classes.tif'
_STYLE, _NAMES = '_classes.qml', '_classes.tif.aux.xml'
_TAGGED = ('_confidence.tif', '_polygons.gpkg')

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


class EarlierFiles:
    """What lies under the names of the files of one map before it is made: of an earlier map, or of the user.

    A map carries a tag, and so do its confidence and its polygons. Its table, picture and styles cannot, so these
    belong to a map that lies beside them, or to a run that was killed before its map had a name: that run left class
    names.

    Args:
        stem: Folder and name of the map, to which the endings are added.
        wanted: Ending of every file beside the class map and its style -> whether it will be written.
        style: The style that will be written, which a killed run may have left alone.
    """

    def __init__(self, stem: Path, wanted: Mapping[str, bool], style: bytes) -> None:
        self._stem, self._wanted, self._style = stem, wanted, style

    def named(self, ending: str) -> Path:
        """Return the file with this ending."""
        return self._stem.with_name(f'{self._stem.name}{ending}')

    def check_free(self) -> None:
        """Refuse to write over a file that no map left.

        Raises:
            InputError: There is one.
        """
        left = self._left_by_a_map()
        for ending in [_STYLE, *(ending for ending, wanted in self._wanted.items() if wanted)]:
            path = self.named(ending)
            if not path.exists() or (path.is_file() and not path.stat().st_size):
                continue
            if ending in _TAGGED:
                ours = self._tagged(ending)
            else:
                ours = left or (ending == _STYLE and path.read_bytes() == self._style)
            if not ours:
                raise InputError(f'{path}: exists and is of no map; move it, or give another --out or --overwrite')

    def remove(self) -> None:
        """Remove an earlier map of another image or model and what lies beside it.

        Its table does not say whose it is. Confidence and polygons do; those that are wanted were written anew already.
        Where no map was, or one of another program, everything stays.

        Raises:
            InputError: A file cannot be removed.
        """
        if not self._left_by_a_map():
            return
        for ending, wanted in {**self._wanted, MAP: False}.items():
            path = self.named(ending)
            if ending in _TAGGED and (wanted or not self._tagged(ending)):
                continue
            with writable(path, 'give another --out'):
                path.unlink(missing_ok=True)

    def _left_by_a_map(self) -> bool:
        """Return True if a map of any image lies here, or a killed run had begun to name its files."""
        path, names = self.named(MAP), self.named(_NAMES)
        if path.exists() and (tags := _tags(path)) is not None:
            return FINGERPRINT in tags
        return names.is_file() and b'<CategoryNames>' in names.read_bytes()

    def _tagged(self, ending: str) -> bool:
        path = self.named(ending)
        if not path.is_file():
            return False
        try:
            return FINGERPRINT in ((_tags(path) or {}) if ending.endswith('.tif') else read_tags(path))
        except InputError:  # without the library that reads polygons, they stay
            return False


def fingerprint(path: Path) -> str | None:
    """Return the tag of a map; None if there is none, or the file is damaged or absent."""
    return (_tags(path) or {}).get(FINGERPRINT)


def _tags(path: Path) -> dict[str, str] | None:
    try:
        with rasterio.open(path, driver='GTiff') as dataset:
            return dict(dataset.tags())
    except RasterioError:  # damaged or absent
        return None
