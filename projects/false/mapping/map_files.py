"""The files of one map: the class map, and its confidence, areas, polygons, preview, class names and styles.

The class map takes its name last, so a map that exists is complete.
"""

import csv
import hashlib
import io
import json
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import rasterio
from rasterio.crs import CRS
from rasterio.errors import RasterioError
from rasterio.transform import Affine
from rasterio.windows import Window
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress

from projects.false.common.errors import InputError
from projects.false.common.files import atomic_write
from projects.false.common.threads import Background
from projects.false.imagery.image_files import files_behind
from projects.false.imagery.palettes import Palette
from projects.false.imagery.rasters import Raster, open_raster
from projects.false.imagery.remote import is_remote, remote_state
from projects.false.vectors.polygon_file import PolygonFile, read_tags
from projects.false.vectors.styles import polygon_style, raster_style

from .class_map_file import NODATA, class_tags, map_file
from .map_image import ImageMapping, MappedStrip
from .options import MapOptions
from .pixel_rule import PixelRule
from .preview import preview_png
from .segmenter import Segmenter
from .windows import WindowPlan

_FINGERPRINT = 'FINGERPRINT'  # tag of a map: a digest of image, model and windows
# Name, type and usage of the columns of class names; the numbers are GDAL's GDALRATFieldType and GDALRATFieldUsage.
_COLUMNS = (('Value', 0, 5), ('Class', 2, 2), ('Red', 0, 6), ('Green', 0, 7), ('Blue', 0, 8))


class MapFiles:
    """The files made from one image.

    Args:
        raster: The image.
        rule: How its values become pixels.
        segmenter: The model.
        plan: The windows.
        folder: Output folder.
        options: Which files to write.
    """

    def __init__(
        self,
        raster: Raster,
        rule: PixelRule,
        segmenter: Segmenter,
        plan: WindowPlan,
        folder: Path,
        options: MapOptions,
    ) -> None:
        self._raster, self._rule, self._palette, self._options = raster, rule, segmenter.palette, options
        self._stem = folder / raster.stem
        files = [_state(path) for path in files_behind(raster.path)]
        facts: list[object] = [files, rule, segmenter.identity, segmenter.palette.classes, segmenter.palette.colors]
        facts += [plan.window, plan.stride, plan.blend]
        self._fingerprint = hashlib.sha256(json.dumps(facts).encode()).hexdigest()
        self._tags = {_FINGERPRINT: self._fingerprint, 'SOURCE': raster.path.name, 'MODEL': segmenter.identity}

    @property
    def path(self) -> Path:
        """The class map."""
        return self._named('_classes.tif')

    def _named(self, ending: str) -> Path:
        return self._stem.with_name(f'{self._stem.name}{ending}')

    def complete(self) -> bool:
        """Return True if all files exist and were made from the same image, model and windows.

        Raises:
            InputError: The map exists, was made from something else, and may not be replaced.
        """
        if not self.path.exists():
            return False
        try:
            with rasterio.open(self.path, driver='GTiff') as dataset:
                same = dataset.tags().get(_FINGERPRINT) == self._fingerprint
        except RasterioError:
            same = False
        if same and not self._named('_classes.qml').exists():  # of a map made before there were styles
            _write(self._named('_classes.qml'), raster_style(self._palette).encode())
        if not same and not self._options.overwrite:
            raise InputError(
                f'{self.path}: exists and was made from another image, model or window; give another --out, '
                'or --overwrite'
            )
        return same and all(path.exists() for path in self._companions()) and self._polygons_complete()

    def _polygons_complete(self) -> bool:
        if not self._options.polygons:
            return True
        found = read_tags(self._named('_polygons.gpkg'))
        return all(found.get(key) == value for key, value in self._polygon_tags.items())

    @property
    def _polygon_tags(self) -> dict[str, str]:
        chosen = {'MIN_AREA': f'{self._options.min_area:g}', 'SIMPLIFY': f'{self._options.simplify:g}'}
        return self._tags | chosen

    def _companions(self) -> list[Path]:
        wanted = {
            '_classes.tif.aux.xml': True,
            '_confidence.tif': self._options.confidence,
            '_preview.png': self._options.preview,
            '_areas.csv': self._options.areas,
            '_polygons.gpkg': self._options.polygons,
            '_polygons.qml': self._options.polygons,
        }
        return [self._named(ending) for ending, chosen in wanted.items() if chosen]

    def write(self, mapping: ImageMapping) -> np.ndarray:
        """Map the image and write all files, in a background thread while the model continues.

        Returns:
            Number of pixels per value of the map, shape (256,).

        Raises:
            InputError: The image cannot be read, or a file cannot be written.
        """
        counts = np.zeros(256, np.int64)
        with ExitStack() as stack:
            georeference = self._georeference()
            size = self._raster.height, self._raster.width
            tags = {**self._tags, **class_tags(self._palette)}
            classes = stack.enter_context(map_file(self.path, *size, georeference, tags, self._palette))
            confidence = None
            if self._options.confidence:
                out = self._named('_confidence.tif')
                confidence = stack.enter_context(map_file(out, *size, georeference, {**self._tags, 'UNIT': 'per cent'}))

            polygons = self._polygon_file(georeference) if self._options.polygons else None

            def write(strip: MappedStrip) -> None:
                rows = strip.classes()
                counts[:] += np.bincount(rows.ravel(), minlength=256)
                classes.write(rows)
                if confidence is not None:
                    confidence.write(strip.confidence())
                if polygons is not None:
                    polygons.add(rows, strip.confidence())

            with Background(write) as background, _progress() as progress:
                task = progress.add_task(escape(self._raster.path.name), total=self._raster.height)
                for strip in mapping.strips(background.check):
                    background.put(strip)
                    progress.advance(task, strip.rows)
            classes.seal()
            if confidence is not None:
                confidence.seal()
            if polygons is not None:
                with rasterio.open(classes.temporary, driver='GTiff') as dataset:
                    width = dataset.width
                    polygons.write(lambda row, rows: dataset.read(1, window=Window(0, row, width, rows)))
                _write(self._named('_polygons.qml'), polygon_style(self._palette).encode())
            self._write_companions(classes.temporary, counts, georeference)
        return counts

    def _polygon_file(self, georeference: dict) -> PolygonFile:
        """Return the file of polygons.

        Raises:
            InputError: The image has control points or coefficients alone.
        """
        if 'transform' not in georeference and {'gcps', 'rpcs'} & georeference.keys():
            raise InputError(
                f'{self._raster.path}: has control points or RPCs and no transform, so polygons have no place; warp it '
                f'first: gdalwarp {self._raster.path.name} {self._raster.stem}_warped.tif'
            )
        return PolygonFile(
            self._named('_polygons.gpkg'),
            self._raster.height,
            self._raster.width,
            self._palette,
            georeference.get('crs'),
            georeference.get('transform'),
            self._options.min_area,
            self._options.simplify,
            self._polygon_tags,
        )

    def _georeference(self) -> dict:
        """Return the georeference of the image as rasterio takes it: crs and transform, or ground control points."""
        with open_raster(self._raster.path) as opened:
            georeference: dict = {}
            points, system = opened.gcps
            if opened.crs:
                georeference['crs'] = opened.crs
            if not opened.transform.is_identity:
                georeference['transform'] = opened.transform
            elif points:
                georeference.update(gcps=points, crs=system)
            if opened.rpcs:
                georeference['rpcs'] = opened.rpcs
            return georeference

    def _write_companions(self, temporary: Path, counts: np.ndarray, georeference: dict) -> None:
        _write(self._named('_classes.qml'), raster_style(self._palette).encode())
        _write(self._named('_classes.tif.aux.xml'), class_names_xml(self._palette).encode())
        if self._options.areas:
            hectares = pixel_hectares(georeference.get('crs'), georeference.get('transform'))
            _write(self._named('_areas.csv'), area_table(counts, self._palette.classes, hectares).encode())
        if self._options.preview:
            _write(self._named('_preview.png'), preview_png(self._raster, self._rule, temporary, self._palette))


def _state(path: Path) -> tuple[str, int, int | str]:
    """Return what tells one version of an image from the next: name, size, and time or tag of the last change."""
    return remote_state(path) if is_remote(path) else (path.name, path.stat().st_size, path.stat().st_mtime_ns)


def _progress() -> Progress:
    """Return a progress bar, which is only shown in a terminal."""
    console = Console(stderr=True)
    return Progress(console=console, transient=True, disable=not console.is_terminal)


def _write(path: Path, data: bytes) -> None:
    try:
        with atomic_write(path) as file:
            file.write(data)
    except OSError as error:
        raise InputError(
            f'{path}: writing failed ({error.strerror or error}); make room or give another --out'
        ) from error


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


def pixel_hectares(crs: CRS | None, transform: Affine | None) -> float | None:
    """Return the area of a pixel in hectares of the map projection; None without a projected reference system.

    Example:
        >>> pixel_hectares(CRS.from_epsg(32633), Affine(10, 0, 0, 0, -10, 0))
        0.01
    """
    if not crs or transform is None or not crs.is_projected:
        return None
    return abs(transform.determinant) * crs.linear_units_factor[1] ** 2 / 1e4


def area_table(counts: np.ndarray, classes: Sequence[str], hectares: float | None) -> str:
    """Return a CSV table of pixels, share of the mapped pixels, and hectares per class, with nodata last.

    Args:
        counts: Number of pixels per value of the map, 255 for nodata.
        classes: Names of the classes.
        hectares: Area of a pixel, see :func:`pixel_hectares`; None leaves the column empty.

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
