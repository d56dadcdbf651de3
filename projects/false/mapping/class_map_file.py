"""Write a map as a cloud-optimised GeoTIFF, every tile once, and read it back before it takes its name."""

import json
import math
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import rasterio
from rasterio._err import CPLE_BaseError  # what rasterio.shutil raises
from rasterio.crs import CRS
from rasterio.enums import ColorInterp, Resampling
from rasterio.errors import RasterioError
from rasterio.io import DatasetReader, DatasetWriter, MemoryFile
from rasterio.shutil import copy as copy_raster
from rasterio.transform import Affine
from rasterio.windows import Window

from projects.false.common.errors import InputError
from projects.false.common.files import atomic_path
from projects.false.imagery.palettes import Palette
from projects.false.vectors.reference_systems import metres_per_unit

from .sources import GDAL_OPTIONS

NODATA, TILE = 255, 256
PART = 8 * TILE  # columns that are written or read back at a time


class MapFile:
    """A map that is being written, row by row from the top down.

    Args:
        out: Final path of the file, for messages.
        temporary: Path where it is written.
        dataset: The temporary file, open for writing.
    """

    def __init__(self, out: Path, temporary: Path, dataset: DatasetWriter) -> None:
        self.out, self.temporary, self._dataset = out, temporary, dataset
        self._row, self._checksum = 0, 0
        self._held: list[np.ndarray] = []  # rows that do not fill a row of tiles yet

    def write(self, rows: np.ndarray) -> None:
        """Add rows; a row of tiles is written once it is full.

        Shape:
            - rows: (h, width), uint8

        Raises:
            InputError: The file cannot be written.
        """
        while len(rows):
            missing = self.next_rows - sum(map(len, self._held))
            self._held.append(rows[:missing])
            rows = rows[missing:]
            if sum(map(len, self._held)) == self.next_rows:
                held = self._held[0] if len(self._held) == 1 else np.concatenate(self._held)
                self._held = []
                self.write_tiles(partial(_columns, held))

    @property
    def next_rows(self) -> int:
        """Height of the next row of tiles; 0 after the last."""
        return min(TILE, self._dataset.height - self._row)

    def write_tiles(self, pixels: Callable[[slice], np.ndarray]) -> None:
        """Write the next row of tiles, from left to right.

        Args:
            pixels: Returns the rows of these tiles in some columns, (:attr:`next_rows`, columns), uint8.

        Raises:
            InputError: The file cannot be written.
        """
        with rasterio.Env(**GDAL_OPTIONS):
            for window in _windows(self._row, self.next_rows, self._dataset.width):
                part = np.ascontiguousarray(pixels(slice(window.col_off, window.col_off + window.width)))
                self._checksum = zlib.crc32(part.data, self._checksum)
                try:
                    self._dataset.write(part, 1, window=window)
                except RasterioError as error:
                    raise unwritable(self.out, f'row {self._row}', error) from error
        self._row += self.next_rows

    def close(self) -> None:
        """Close the file; GDAL may still write part of it now."""
        with rasterio.Env(**GDAL_OPTIONS):
            self._dataset.close()

    def seal(self) -> None:
        """Close the file after its last row, add overviews, order it for the cloud, and check that all is on the disk.

        Raises:
            InputError: The file does not read back as it was written.
        """
        height, width = self._dataset.shape
        if self._row != height:
            raise InputError(f'{self.out}: {self._row} of {height} rows were written; this is a bug, please report it')
        self.close()
        try:
            with rasterio.Env(**GDAL_OPTIONS):
                _add_overviews(self.temporary, height, width)
                _cloud_optimise(self.temporary)
                _read_back(self.out, self.temporary, self._checksum)
        except (RasterioError, CPLE_BaseError) as error:
            raise unwritable(self.out, 'the end', error) from error


@contextmanager
def map_file(
    out: Path,
    height: int,
    width: int,
    georeference: Mapping[str, object],
    tags: Mapping[str, str],
    palette: Palette | None = None,
) -> Iterator[MapFile]:
    """Write an 8-bit map of one band with overviews; 255 is nodata.

    Args:
        out: The file; it appears at the end of the block, which must seal it.
        height, width: Size in pixels.
        georeference: ``crs``, ``transform``, ``gcps`` as rasterio takes them, each only if there is one.
        tags: Texts to store in the file.
        palette: Colours of the classes; None writes a grey map.

    Raises:
        InputError: The file cannot be written.
    """
    profile = {
        'driver': 'GTiff',
        'height': height,
        'width': width,
        'count': 1,
        'dtype': 'uint8',
        'nodata': NODATA,
        'tiled': True,
        'blockxsize': TILE,
        'blockysize': TILE,
        'compress': 'deflate',
        'bigtiff': 'if_safer',
        **georeference,
    }
    try:
        with atomic_path(out) as temporary:
            file = MapFile(out, temporary, _create(temporary, profile, tags, palette))
            with closing(file):
                yield file
    except RasterioError as error:
        raise unwritable(out, 'its beginning', error) from error
    except OSError as error:
        raise InputError(
            f'{out}: writing failed ({error.strerror or error}); make room or give another --out'
        ) from error


def _create(temporary: Path, profile: dict, tags: Mapping[str, str], palette: Palette | None) -> DatasetWriter:
    with rasterio.Env(**GDAL_OPTIONS):
        dataset = rasterio.open(temporary, 'w', **profile)
        dataset.update_tags(**tags)
        if palette is not None:
            dataset.write_colormap(1, colormap(palette))
            dataset.colorinterp = [ColorInterp.palette]
        return dataset


def colormap(palette: Palette) -> dict[int, tuple[int, int, int, int]]:
    """Return the colour per value: those of the classes, black for unused values, transparent for nodata."""
    colors = {index: (*color, 255) for index, color in enumerate(palette.colors)}
    return {**dict.fromkeys(range(256), (0, 0, 0, 255)), **colors, NODATA: (0, 0, 0, 0)}


def unwritable(out: Path, where: str, error: Exception) -> InputError:
    """Return the error for something that GDAL refused to write."""
    return InputError(f'{out}: writing failed at {where} ({error.__cause__ or error}); make room or give another --out')


def class_tags(palette: Palette) -> dict[str, str]:
    """Return the names of the classes as a tag."""
    names = {str(index): name for index, name in enumerate(palette.classes)}
    return {'CLASSES': json.dumps(names, ensure_ascii=False)}


def check_storable(crs: CRS, where: object) -> None:
    """Refuse a reference system that a GeoTIFF cannot hold, such as one with rotated poles: the map would lose it.

    Raises:
        InputError: It names what to do.
    """
    with rasterio.Env(GDAL_PAM_ENABLED=False), MemoryFile() as file:  # without a file beside it
        with file.open(driver='GTiff', height=1, width=1, count=1, dtype='uint8', crs=crs):
            pass
        with file.open() as written:
            if not written.crs:
                raise InputError(
                    f'{where}: a GeoTIFF cannot hold its reference system; warp it first: gdalwarp -t_srs EPSG:CODE'
                )


def pixel_hectares(crs: CRS | None, transform: Affine | None) -> float | None:
    """Return the area of a pixel in hectares of the map projection; None if no one area is that of all pixels.

    That is so without a place, in degrees, and in Mercator projections, whose pixels cover less ground near the poles.

    Example:
        >>> pixel_hectares(CRS.from_epsg(32633), Affine(10, 0, 0, 0, -10, 0))
        0.01
    """
    if not crs or transform is None or transform.is_identity:
        return None
    metres = metres_per_unit(crs)
    return None if metres is None else abs(transform.determinant) * metres**2 / 1e4


def _add_overviews(temporary: Path, height: int, width: int) -> None:
    halvings = max(0, math.ceil(math.log2(max(height, width) / TILE)))
    if halvings:
        with rasterio.open(temporary, 'r+', driver='GTiff') as dataset:
            dataset.build_overviews([2**level for level in range(1, halvings + 1)], Resampling.nearest)


def _cloud_optimise(temporary: Path) -> None:
    """Write the file again in the order of a COG: headers first, then overviews, the smallest first, then the map."""
    with atomic_path(temporary) as ordered:
        layout = {'blocksize': TILE, 'compress': 'deflate', 'bigtiff': 'if_safer', 'overviews': 'auto'}
        copy_raster(temporary, ordered, driver='COG', **layout)


def _read_back(out: Path, temporary: Path, checksum: int) -> None:
    """Compare the file with what was written: GDAL may not report a disk that was full when it closed the file."""
    found = 0
    with rasterio.open(temporary, driver='GTiff') as dataset:
        levels = len(dataset.overviews(1))
        for part in _parts(dataset):
            found = zlib.crc32(dataset.read(1, window=part).data, found)
    if found != checksum:
        raise InputError(f'{out}: does not read back as it was written; check the disk')
    for level in range(levels):
        with rasterio.open(temporary, driver='GTiff', overview_level=level) as overview:
            for part in _parts(overview):
                overview.read(1, window=part)


def _parts(dataset: DatasetReader) -> Iterator[Window]:
    for row in range(0, dataset.height, TILE):
        yield from _windows(row, min(TILE, dataset.height - row), dataset.width)


def _columns(rows: np.ndarray, part: slice) -> np.ndarray:
    return rows[:, part]


def _windows(row: int, height: int, width: int) -> Iterator[Window]:
    """Divide rows into windows of whole tiles."""
    for column in range(0, width, PART):
        yield Window(column, row, min(PART, width - column), height)
