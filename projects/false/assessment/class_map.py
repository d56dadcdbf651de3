"""A finished class map as assessment sees it: read block by block, with the names of its classes."""

import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

import numpy as np
from rasterio._err import CPLE_BaseError  # what WarpedVRT raises
from rasterio.crs import CRS
from rasterio.enums import Resampling
from rasterio.errors import CRSError
from rasterio.io import DatasetReader
from rasterio.transform import AffineTransformer, GCPTransformer
from rasterio.vrt import WarpedVRT
from rasterio.windows import Window

from projects.false.common.errors import InputError
from projects.false.imagery.rasters import open_raster
from projects.false.mapping.class_map_file import NODATA, pixel_hectares
from projects.false.vectors.reference_systems import check_flat, unrelated

_NEAR = 0.01  # pixels by which corners may differ, since formats round differently
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
        reference: A raster of true classes, by the numbers of the map; 255, its nodata value, what its mask hides and
            what lies outside it are unknown. It may have another grid or reference system than the map. One without a
            place must have the size of the map.

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
        """Area of a pixel in hectares, see :func:`~projects.false.mapping.class_map_file.pixel_hectares`."""
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
        found = self._reference.read(1, window=window).astype(np.int64)
        warped = self._reference.count == 2  # its second band is the mask, which GDAL would tell for some types only
        known = self._reference.read(2, window=window) if warped else self._reference.read_masks(1, window=window)
        found[known == 0] = NODATA
        if self._unknown is not None:
            found[found == self._unknown] = NODATA
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
        if opened.shape == self._raster.shape and _lie_alike(opened, self._raster):
            return opened
        for file, raster in ((path, opened), (self.path, self._raster)):
            if not raster.crs or raster.transform.is_identity:
                lack = 'transform' if raster.crs or raster.gcps[0] else 'reference system'
                raise InputError(
                    f'{path}: has another size or place than {self.path}, and {file} has no {lack}; give it one with '
                    'gdalwarp or gdal_edit.py'
                )
            check_flat(raster.crs, file)
        grid = {'crs': self._raster.crs, 'transform': self._raster.transform}
        size = {'height': self.height, 'width': self.width}
        mask = {'add_alpha': True, 'nodata': None, 'src_nodata': None}  # with a nodata value, GDAL ignores other masks
        try:
            return self._stack.enter_context(WarpedVRT(opened, resampling=Resampling.nearest, **grid, **size, **mask))
        except (CPLE_BaseError, CRSError) as error:
            raise unrelated(opened.crs, self._raster.crs, path) from error


def _lie_alike(one: DatasetReader, other: DatasetReader) -> bool:
    """Return True if two rasters of one size show the same ground, as far as they say where they lie."""
    if not (_has_place(one) and _has_place(other)):
        return True
    if (one.crs and other.crs and one.crs != other.crs) or not other.transform.determinant:
        return False
    moved = ~other.transform @ one.transform
    corners = [(column, row) for column in (0, one.width) for row in (0, one.height)]
    return bool(np.abs(np.subtract([moved @ corner for corner in corners], corners)).max() < _NEAR)


def _has_place(raster: DatasetReader) -> bool:
    return bool(not raster.transform.is_identity or raster.gcps[0] or raster.rpcs)


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
