"""A finished class map as assessment sees it: read block by block, with the names of its classes."""

import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

import numpy as np
from rasterio.crs import CRS
from rasterio.enums import Resampling
from rasterio.io import DatasetReader
from rasterio.transform import AffineTransformer, GCPTransformer
from rasterio.vrt import WarpedVRT
from rasterio.windows import Window

from projects.false.common.errors import InputError
from projects.false.imagery.rasters import open_raster
from projects.false.mapping.class_map_file import NODATA, pixel_hectares

BLOCK = 1024  # pixels; fixed, so that a seed gives the same places in whatever way the file is tiled


class Block(NamedTuple):
    """A part of a map.

    Args:
        row, column: Its first pixel.
        classes: Classes of the map, 255 for nodata.
        reference: True classes, 255 where unknown; None without a reference raster.

    Shape:
        - classes, reference: (h, w), uint8
    """

    row: int
    column: int
    classes: np.ndarray
    reference: np.ndarray | None


class ClassMap:
    """A map that ``tools/infer.py`` wrote, open for reading.

    Args:
        path: ``NAME_classes.tif``.
        reference: A raster of true classes, by the numbers of the map; 255, its nodata value and what lies outside it
            are unknown. It may have another grid or reference system than the map.

    Raises:
        InputError: A file cannot be read, is not a class map, or the two cannot be overlaid.
    """

    def __init__(self, path: str | Path, reference: str | Path | None = None) -> None:
        self.path, self._reference_path = Path(path), Path(reference) if reference else None
        self._reference: DatasetReader | None = None
        with ExitStack() as self._stack:
            self._raster = self._stack.enter_context(open_raster(self.path))
            self.height, self.width = self._raster.shape
            self.classes, self.colors = _class_names(self._raster, self.path)
            if self._reference_path is not None:
                opened = self._stack.enter_context(open_raster(self._reference_path))
                self._reference = self._on_the_grid(opened, self._reference_path)
                self._unknown = opened.nodata
            self._stack = self._stack.pop_all()

    def __enter__(self) -> 'ClassMap':
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    @property
    def hectares(self) -> float | None:
        """Area of a pixel in hectares; None without a projected reference system."""
        return pixel_hectares(self._raster.crs, self._raster.transform)

    @property
    def crs(self) -> CRS | None:
        """Reference system of the map or of its control points."""
        return self._raster.crs or self._raster.gcps[1]

    def positions(self, rows: np.ndarray, columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return x and y of the centres of pixels; columns and rows themselves for a map without a place."""
        x, y = self._transformer().xy(list(rows), list(columns))
        return np.atleast_1d(x), np.atleast_1d(y)

    def pixels(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return rows and columns of positions; they may lie outside the map."""
        rows, columns = self._transformer().rowcol(list(x), list(y))
        return np.atleast_1d(rows).astype(np.int64), np.atleast_1d(columns).astype(np.int64)

    def _transformer(self) -> AffineTransformer | GCPTransformer:
        points = self._raster.gcps[0]
        return GCPTransformer(points) if points else AffineTransformer(self._raster.transform)

    def blocks(self) -> Iterator[tuple[int, int]]:
        """Yield the first row and column of every block, row by row."""
        for row in range(0, self.height, BLOCK):
            for column in range(0, self.width, BLOCK):
                yield row, column

    def read(self, row: int, column: int) -> Block:
        """Read the block that begins at a pixel.

        Raises:
            InputError: The block cannot be read, or holds a value that is no class.
        """
        window = Window(column, row, min(BLOCK, self.width - column), min(BLOCK, self.height - row))
        classes = _checked(self._raster.read(1, window=window), self.classes, self.path)
        if self._reference is None or self._reference_path is None:
            return Block(row, column, classes, None)
        found = self._reference.read(1, window=window)
        if self._unknown is not None:
            found = np.where(found == self._unknown, NODATA, found)
        return Block(row, column, classes, _checked(found, self.classes, self._reference_path))

    def values(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Return the classes of single pixels, 255 for nodata and outside the map.

        Shape:
            - rows, columns, result: (n,)
        """
        found = np.full(len(rows), NODATA, np.uint8)
        inside = (rows >= 0) & (rows < self.height) & (columns >= 0) & (columns < self.width)
        first = np.stack([rows, columns]) // BLOCK * BLOCK
        for row, column in np.unique(first[:, inside], axis=1).T.tolist():
            there = inside & (first[0] == row) & (first[1] == column)
            found[there] = self.read(row, column).classes[rows[there] - row, columns[there] - column]
        return found

    def _on_the_grid(self, opened: DatasetReader, path: Path) -> DatasetReader:
        if opened.count != 1 or not np.issubdtype(np.dtype(opened.dtypes[0]), np.integer):
            raise InputError(
                f'{path}: has {opened.count} band(s) of {opened.dtypes[0]}; give one band with the numbers of classes'
            )
        same_place = opened.crs == self._raster.crs and opened.transform.almost_equals(self._raster.transform, 1e-6)
        if opened.shape == self._raster.shape and same_place:
            return opened
        if not opened.crs or not self._raster.crs or self._raster.transform.is_identity:
            raise InputError(
                f'{path}: has another size or place than {self.path}, and one of them has no reference system; give a '
                'raster of the same size'
            )
        grid = {'crs': self._raster.crs, 'transform': self._raster.transform}
        size = {'height': self.height, 'width': self.width}
        filled = {'nodata': NODATA, 'src_nodata': opened.nodata if opened.nodata is not None else NODATA}
        return self._stack.enter_context(WarpedVRT(opened, resampling=Resampling.nearest, **grid, **size, **filled))


def _class_names(raster: DatasetReader, path: Path) -> tuple[tuple[str, ...], tuple[tuple[int, int, int], ...]]:
    try:
        stored = json.loads(raster.tags()['CLASSES'])
        names = tuple(str(stored[str(index)]) for index in range(len(stored)))
        table = raster.colormap(1)
    except (KeyError, ValueError, TypeError) as error:
        raise InputError(f'{path}: does not name its classes; give NAME_classes.tif of tools/infer.py') from error
    if raster.count != 1 or raster.dtypes[0] != 'uint8' or not names:
        raise InputError(f'{path}: is no class map; give NAME_classes.tif of tools/infer.py')
    return names, tuple(table[index][:3] for index in range(len(names)))


def _checked(values: np.ndarray, classes: Sequence[str], path: Path) -> np.ndarray:
    wrong = (values != NODATA) & ((values < 0) | (values >= len(classes)))
    if wrong.any():
        known = ', '.join(f'{index} {name}' for index, name in enumerate(classes))
        raise InputError(f'{path}: holds the value {values[wrong][0]}, which is no class; known are {known}, and 255')
    return values.astype(np.uint8)
