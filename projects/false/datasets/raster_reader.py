"""Windows of open rasters as uint8 pixels, with the share of them that is no data."""

import os
import warnings
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from projects.false.errors import InputError

if TYPE_CHECKING:
    from rasterio.io import DatasetReader

MAX_OPEN = 64  # handles a process


class RasterReader:
    """Reads windows; every process opens a raster once and keeps it open.

    Args:
        bands: Bands to read, counted from 1; red, green and blue first if they are three or more.
        value_range: Grey levels that become 0 and 255; None takes 8-bit rasters as they are.
    """

    def __init__(self, bands: Sequence[int], value_range: tuple[float, float] | None) -> None:
        self.bands, self.value_range = list(bands), value_range
        self._open: OrderedDict[tuple[int, Path], DatasetReader] = OrderedDict()

    def close(self) -> None:
        """Close what this process opened; before a fork, so that the other side inherits nothing."""
        while self._open:
            (process, _), raster = self._open.popitem()
            if process == os.getpid():
                raster.close()

    def __getstate__(self) -> dict:
        return {**self.__dict__, '_open': OrderedDict()}

    def raster(self, path: Path) -> 'DatasetReader':
        """The open raster, its type and bands checked.

        Raises:
            InputError: It cannot be opened, lacks a band, or is not 8 bit and no value range is given.
        """
        import rasterio
        from rasterio.errors import NotGeoreferencedWarning, RasterioError

        from projects.false.imagery.rasters import DRIVERS

        key = os.getpid(), path  # a handle must not be used on the other side of a fork
        if path.suffix.lower() not in DRIVERS:
            raise InputError(f'{path}: is none of {", ".join(DRIVERS)}; convert it with gdal_translate or leave it out')
        if key not in self._open:
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter('ignore', NotGeoreferencedWarning)  # only the pixels are used
                    raster = rasterio.open(path, driver=DRIVERS[path.suffix.lower()])
            except RasterioError as error:
                raise _damaged(path, 'as a raster', error) from error
            self._check(path, raster)
            self._open[key] = raster
            if len(self._open) > MAX_OPEN:
                (process, _), oldest = self._open.popitem(last=False)
                if process == os.getpid():
                    oldest.close()
        self._open.move_to_end(key)
        return self._open[key]

    def _check(self, path: Path, raster: 'DatasetReader') -> None:
        if max(self.bands) > raster.count:
            raise InputError(f'{path}: has {raster.count} band(s), bands are {self.bands}; choose bands that it has')
        types = {raster.dtypes[band - 1] for band in self.bands}
        if types != {'uint8'} and self.value_range is None:
            raise InputError(
                f'{path}: pixels are {", ".join(sorted(types))}, 8 bit (uint8) is needed; give '
                'value_range=(low, high), or scale it with tools/dataset_converters/rasters.py'
            )

    def read(self, path: Path, row: int, col: int, size: int) -> tuple[np.ndarray, float]:
        """A square window.

        Returns:
            Pixels, shape (size, size, bands), uint8, the first three as blue, green, red, 0 where there is no data; and
            the share of pixels that have no data in any band.

        Raises:
            InputError: The file is damaged.
        """
        from rasterio.errors import RasterioError

        from .raster_pixels import read_window

        raster = self.raster(path)
        try:
            pixels, valid = read_window(raster, self.bands, row, col, size, size)
        except RasterioError as error:
            raise _damaged(path, f'at row {row}, column {col}', error) from error
        if self.value_range is not None:
            low, high = self.value_range
            finite = np.nan_to_num(pixels.astype(np.float32), nan=low)
            pixels = np.rint(np.clip((finite - low) / (high - low), 0, 1) * 255).astype(np.uint8)
        pixels[~valid] = 0
        bands = pixels.shape[2]
        order = [2, 1, 0, *range(3, bands)] if bands >= 3 else range(bands)
        return np.ascontiguousarray(pixels[..., order]), 1 - float(valid.mean())

    def coarse_valid(self, path: Path, shape: tuple[int, int]) -> np.ndarray | None:
        """Where a raster has data, at a lower resolution; None if it cannot have pixels without.

        Shape:
            - result: ``shape``, bool

        Raises:
            InputError: The file is damaged.
        """
        from rasterio.errors import RasterioError

        from .raster_pixels import has_masks, read_window

        raster = self.raster(path)
        floating = any(np.issubdtype(np.dtype(raster.dtypes[band - 1]), np.floating) for band in self.bands)
        if not floating and not has_masks(raster, self.bands):
            return None
        try:
            return read_window(raster, self.bands, 0, 0, raster.height, raster.width, shape)[1]
        except RasterioError as error:
            raise _damaged(path, 'as a whole', error) from error


def _damaged(path: Path, what: str, error: Exception) -> InputError:
    return InputError(
        f'{path}: cannot be read {what} ({error.__cause__ or error}); it is damaged, copy it again or leave it out'
    )
