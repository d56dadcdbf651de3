"""Write a map as polygons into a GeoPackage: class, area and mean confidence of every region."""

import sqlite3
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from rasterio.crs import CRS
from rasterio.transform import Affine

from projects.false.common.errors import InputError
from projects.false.common.files import atomic_path
from projects.false.imagery.palettes import Palette
from projects.false.imagery.rasters import system_text

from .labels import vector_libraries
from .reference_systems import check_flat, equal_area_around, metres_per_unit, project
from .regions import Regions
from .styles import polygon_style
from .tracing import trace

_BATCH = 10_000  # polygons written at a time
_FIELDS = ('class', 'value', 'area_m2', 'confidence')
_UPRIGHT = Affine.scale(1, -1)  # where QGIS shows an image without a place


def read_tags(path: Path) -> dict[str, str]:
    """Return the texts that were stored with the layer of a file of polygons, none if it is absent or damaged."""
    pyogrio, _ = vector_libraries()
    try:
        return dict(pyogrio.read_info(path, layer=layer_of(path))['layer_metadata'] or {})
    except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError):
        return {}


def layer_of(path: Path) -> str:
    """Return the name of the layer of a file: its own, as far as GeoPackage takes it.

    Example:
        >>> layer_of(Path('scene_polygons.gpkg')), layer_of(Path('[1]_polygons.gpkg'))
        ('scene_polygons', 'map_[1]_polygons')
    """
    name = path.stem
    begins_well = name[:1].isalnum() or name[:1] == '_'
    return name if begins_well and not name.lower().startswith(('gpkg', 'sqlite_')) else f'map_{name}'


def check_lengths(min_area: float, simplify: float) -> None:
    """Refuse values below 0 of the options with which :class:`PolygonFile` changes polygons."""
    for name, value in (('--min-area', min_area), ('--simplify', simplify)):
        if not 0 <= value < float('inf'):
            raise InputError(f'{name} {value:g}: give 0 or more')


class MapGround:
    """Where the pixels of a map lie, and how much ground they cover.

    Without a transform its pixels have no place, so that a reference system says nothing about them.

    Args:
        where: The image, for messages.
        height, width: Size of the map in pixels.
        crs, transform: Where the map lies; None for pixels, from the upper left corner upwards.

    Attributes:
        crs: The reference system; None if pixels have no place in it.
        pixel_area: Square metres of the pixel in the middle; 1 without a reference system.

    Raises:
        InputError: The reference system is neither projected nor in degrees, the map does not lie on Earth, or its
            pixels have no area.
    """

    def __init__(self, where: object, height: int, width: int, crs: CRS | None, transform: Affine | None) -> None:
        _, self._shapely = vector_libraries()
        self._where, self._transform = where, transform or _UPRIGHT
        self.crs, self.pixel_area = (None if transform is None else crs), 1.0
        self._unit, self._flat = 1.0, self.crs  # areas are measured in the latter
        if self.crs is None:
            return
        check_flat(self.crs, where)
        unit = metres_per_unit(self.crs)
        if unit is None:
            self._flat = equal_area_around(self._transform @ (width / 2, height / 2), self.crs, where)
        else:
            self._unit = unit
        row, column = height // 2, width // 2
        pixel, whole = self._shapely.box([column, 0], [row, 0], [column + 1, width], [row + 1, height])
        self.pixel_area = float(self.areas(self.placed(np.array([pixel, whole])))[0])
        if not self.pixel_area > 0:
            raise InputError(f'{where}: its pixels have no area; check its transform')

    def placed(self, polygons: np.ndarray) -> np.ndarray:
        """Return polygons in pixels, column first, where they lie."""
        a, b, c, d, e, f = self._transform[:6]
        turn = np.array([[a, d], [b, e]])
        placed: np.ndarray = self._shapely.transform(polygons, lambda points: points @ turn + (c, f))
        return placed

    def areas(self, polygons: np.ndarray) -> np.ndarray:
        """Return areas of placed polygons in square metres, not a number without a reference system.

        They are those of the map projection, or on the ellipsoid if the system counts degrees or is a Mercator one.
        """
        crs, flat = self.crs, self._flat
        if crs is None or flat is None:
            return np.full(len(polygons), np.nan)
        polygons = self._shapely.transform(polygons, lambda points: project(points, crs, flat, self._where))
        return np.asarray(self._shapely.area(polygons) * self._unit**2)


class PolygonFile:
    """The polygons of a map whose rows come from the top down.

    Args:
        out: The GeoPackage, with one layer of its name.
        height, width: Size of the map in pixels.
        palette: Names of the classes, and their colours for the style.
        crs, transform: Where the map lies, see :class:`MapGround`.
        min_area: Square metres below which a polygon joins the neighbour with the longest common border; pixels where
            there is no reference system.
        simplify: About how many metres borders may move, at least one pixel; pixels if there is no reference system.
        tags: Texts to store with the layer.

    Raises:
        InputError: A value is out of range, or a library is missing.
    """

    def __init__(
        self,
        out: Path,
        height: int,
        width: int,
        palette: Palette,
        crs: CRS | None,
        transform: Affine | None,
        min_area: float = 0,
        simplify: float = 0,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        self._pyogrio, self._shapely = vector_libraries()
        check_lengths(min_area, simplify)
        self._out, self._layer, self._height, self._palette = out, layer_of(out), height, palette
        self._ground, self._tags = MapGround(out, height, width, crs, transform), dict(tags or {})
        self._tolerance = simplify / self._ground.pixel_area**0.5
        self._regions = Regions(width, min_area / self._ground.pixel_area)
        self.count = 0  # polygons in the file
        self.most_waiting = 0  # vertices held at one time

    def add(self, classes: np.ndarray, confidence: np.ndarray) -> None:
        """Add rows; see :meth:`.regions.Regions.add`."""
        self._regions.add(classes, confidence)

    def write(self, read: Callable[[int, int], np.ndarray]) -> None:
        """Trace the map and write the file, which appears when it is complete.

        Args:
            read: Takes the first row of a strip and its number of rows; returns its classes as they were added.

        Raises:
            InputError: The file cannot be written.
        """
        self._regions.finish()
        errors = self._pyogrio.errors
        refused = OSError, sqlite3.Error, errors.DataSourceError, errors.DataLayerError, errors.FeatureError
        try:
            with atomic_path(self._out) as temporary:
                held: list[tuple[np.ndarray, np.ndarray]] = []
                for polygons, owners, waiting in trace(self._regions, read, self._height, self._tolerance):
                    self.most_waiting = max(self.most_waiting, waiting)
                    held.append((polygons, owners))
                    if sum(len(part) for part, _ in held) >= _BATCH:
                        self._append(temporary, held)
                        held = []
                if held or not self.count:
                    self._append(temporary, held)
                self._embed_style(temporary)
                with warnings.catch_warnings():
                    warnings.simplefilter('ignore')  # of the temporary name
                    found = self._pyogrio.read_info(temporary, layer=self._layer)['features']
                if found != self.count:
                    raise InputError(f'{self._out}: holds {found} of {self.count} polygons; check the disk')
        except refused as error:
            raise InputError(f'{self._out}: writing failed ({error}); make room or give another --out') from error

    def _append(self, path: Path, held: list[tuple[np.ndarray, np.ndarray]]) -> None:
        polygons = self._ground.placed(np.concatenate([np.empty(0, object), *(part for part, _ in held)]))
        owners = np.concatenate([np.empty(0, int), *(part for _, part in held)]).astype(int)
        values = self._regions.classes[owners].astype(np.int32)
        names = np.array([*self._palette.classes, ''], object)[np.minimum(values, len(self._palette.classes))]
        sure = self._regions.confidence[owners].round(1)
        columns: list[Any] = [names, values, self._ground.areas(polygons).round(3), sure]
        crs = self._ground.crs
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')  # of the temporary name, and of a map without a reference system
            self._pyogrio.raw.write(
                path,
                self._shapely.to_wkb(polygons),
                columns,
                list(_FIELDS),
                layer=self._layer,
                driver='GPKG',
                geometry_type='Polygon',
                crs=crs and system_text(crs),
                append=path.exists(),
                **({} if path.exists() else {'layer_metadata': self._tags, 'dataset_options': {'VERSION': '1.2'}}),
            )
        self.count += len(polygons)

    def _embed_style(self, path: Path) -> None:
        """Store the style in the GeoPackage as well, where QGIS looks first, so that the file can travel alone."""
        style, layer = polygon_style(self._palette), self._layer
        database = sqlite3.connect(path)
        try:
            database.executescript(
                'CREATE TABLE layer_styles (id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, f_table_catalog TEXT(256), '
                'f_table_schema TEXT(256), f_table_name TEXT(256), f_geometry_column TEXT(256), styleName TEXT(30), '
                'styleQML TEXT, styleSLD TEXT, useAsDefault BOOLEAN, description TEXT, owner TEXT(30), ui TEXT(30), '
                "update_time DATETIME DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ','now')));"
                "INSERT INTO gpkg_contents (table_name, data_type, identifier, last_change) VALUES ('layer_styles', "
                "'attributes', 'layer_styles', strftime('%Y-%m-%dT%H:%M:%fZ','now'));"
            )
            database.execute(
                'INSERT INTO layer_styles (f_table_catalog, f_table_schema, f_table_name, f_geometry_column, '
                'styleName, styleQML, styleSLD, useAsDefault, description, owner) VALUES '
                "('', '', ?, 'geom', 'classes', ?, '', 1, 'classes of the map', '')",
                (layer, style),
            )
            database.commit()
        finally:
            database.close()
