"""Write a map as polygons into a GeoPackage: class, area and mean confidence of every region."""

import sqlite3
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from rasterio.crs import CRS
from rasterio.transform import Affine
from rasterio.warp import transform as transform_points

from projects.false.common.errors import InputError
from projects.false.common.files import atomic_path
from projects.false.imagery.palettes import Palette

from .labels import vector_libraries
from .regions import Regions
from .styles import polygon_style
from .tracing import trace

_BATCH = 10_000  # polygons written at a time
_EQUAL_AREA = CRS.from_epsg(6933)
_FIELDS = ('class', 'value', 'area_m2', 'confidence')
_UPRIGHT = Affine.scale(1, -1)  # where QGIS shows an image without a place


def read_tags(path: Path) -> dict[str, str]:
    """Return the texts that were stored with the layer of a file of polygons, none if it is absent or damaged."""
    pyogrio, _ = vector_libraries()
    try:
        return dict(pyogrio.read_info(path, layer=path.stem)['layer_metadata'] or {})
    except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError):
        return {}


class PolygonFile:
    """The polygons of a map whose rows come from the top down.

    Args:
        out: The GeoPackage, with one layer of its name.
        height, width: Size of the map in pixels.
        palette: Names of the classes, and their colours for the style.
        crs, transform: Where the map lies; None for pixels, from the upper left corner upwards.
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
        for name, value in (('--min-area', min_area), ('--simplify', simplify)):
            if not 0 <= value < float('inf'):
                raise InputError(f'{name} {value:g}: give 0 or more')
        self._out, self._height, self._palette, self._crs = out, height, palette, crs
        self._transform, self._tags = transform or _UPRIGHT, dict(tags or {})
        self._square_metres = self._pixel_area(width)
        self._tolerance = simplify / self._square_metres**0.5
        self._regions = Regions(width, min_area / self._square_metres)
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
                    found = self._pyogrio.read_info(temporary, layer=self._out.stem)['features']
                if found != self.count:
                    raise InputError(f'{self._out}: holds {found} of {self.count} polygons; check the disk')
        except (OSError, sqlite3.Error, self._pyogrio.errors.DataSourceError) as error:
            raise InputError(f'{self._out}: writing failed ({error}); make room or give another --out') from error

    def _pixel_area(self, width: int) -> float:
        """Return the area of a pixel in the middle of the map in square metres; 1 without a reference system."""
        if self._crs is None:
            return 1.0
        row, column = self._height // 2, width // 2
        corners = np.array([[(column, row), (column + 1, row), (column + 1, row + 1), (column, row + 1)]], float)
        area = float(self._areas(self._placed(self._shapely.polygons(corners)))[0])
        if not area > 0:
            raise InputError(f'{self._out}: the pixels of the map have no area; check its transform')
        return area

    def _placed(self, polygons: np.ndarray) -> np.ndarray:
        a, b, c, d, e, f = self._transform[:6]
        turn = np.array([[a, d], [b, e]])
        placed: np.ndarray = self._shapely.transform(polygons, lambda points: points @ turn + (c, f))
        return placed

    def _areas(self, polygons: np.ndarray) -> np.ndarray:
        """Return areas in square metres: in the map projection, or on the ellipsoid if coordinates are in degrees."""
        shapely = self._shapely
        if self._crs is None:
            return np.full(len(polygons), np.nan)
        if self._crs.is_geographic:
            flat = shapely.transform(
                polygons, lambda p: np.stack(transform_points(self._crs, _EQUAL_AREA, *p.T.tolist()), axis=1)
            )
            return np.asarray(shapely.area(flat))
        return np.asarray(shapely.area(polygons) * self._crs.linear_units_factor[1] ** 2)

    def _append(self, path: Path, held: list[tuple[np.ndarray, np.ndarray]]) -> None:
        polygons = self._placed(np.concatenate([np.empty(0, object), *(part for part, _ in held)]))
        owners = np.concatenate([np.empty(0, int), *(part for _, part in held)]).astype(int)
        values = self._regions.classes[owners].astype(np.int32)
        names = np.array([*self._palette.classes, ''], object)[np.minimum(values, len(self._palette.classes))]
        columns: list[Any] = [names, values, self._areas(polygons).round(3), self._regions.confidence[owners].round(1)]
        code = self._crs and self._crs.to_epsg()
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')  # of the temporary name, and of a map without a reference system
            self._pyogrio.raw.write(
                path,
                self._shapely.to_wkb(polygons),
                columns,
                list(_FIELDS),
                layer=self._out.stem,
                driver='GPKG',
                geometry_type='Polygon',
                crs=f'EPSG:{code}' if code else self._crs and self._crs.to_wkt(),
                append=path.exists(),
                **({} if path.exists() else {'layer_metadata': self._tags, 'dataset_options': {'VERSION': '1.2'}}),
            )
        self.count += len(polygons)

    def _embed_style(self, path: Path) -> None:
        """Store the style in the GeoPackage as well, where QGIS looks first, so that the file can travel alone."""
        style, layer = polygon_style(self._palette), self._out.stem
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
