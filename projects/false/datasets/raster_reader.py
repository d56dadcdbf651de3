"""Windows of open rasters as uint8 pixels, with the share of them that is no data."""

import os
import warnings
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from projects.false.errors import InputError

if TYPE_CHECKING:  # rasterio is imported on use: patches are read without it
    from rasterio.io import DatasetReader
    from rasterio.windows import Window

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

        key = os.getpid(), path  # a handle must not be used on the other side of a fork
        if key not in self._open:
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter('ignore', NotGeoreferencedWarning)  # only the pixels are used
                    raster = rasterio.open(path)
            except RasterioError as error:
                raise InputError(f'{path}: cannot be read as a raster ({error}); replace it or leave it out') from error
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
        from rasterio.windows import Window

        window = Window(col, row, size, size)
        raster = self.raster(path)
        try:
            pixels = raster.read(self.bands, window=window)
            valid = self._valid(raster, pixels, window)
        except RasterioError as error:
            raise InputError(
                f'{path}: window at row {row}, column {col} cannot be read ({error}); the file is damaged, replace it'
            ) from error
        if self.value_range is not None:
            low, high = self.value_range
            finite = np.nan_to_num(pixels.astype(np.float32), nan=low)
            pixels = np.rint(np.clip((finite - low) / (high - low), 0, 1) * 255).astype(np.uint8)
        pixels[:, ~valid] = 0
        order = [2, 1, 0, *range(3, len(pixels))] if len(pixels) >= 3 else range(len(pixels))
        return np.ascontiguousarray(np.moveaxis(pixels[order], 0, -1)), 1 - float(valid.mean())

    def _valid(self, raster: 'DatasetReader', pixels: np.ndarray, window: 'Window | None' = None) -> np.ndarray:
        """Where at least one of the bands has data.

        Args:
            raster: The raster.
            pixels: The bands that were read of it, perhaps at a lower resolution.
            window: Where; None is the whole raster.

        Shape:
            - pixels: (bands, H, W); result: (H, W), bool
        """
        valid = np.ones(pixels.shape[1:], bool)
        if not self._never_masked(raster):
            valid = raster.read_masks(self.bands, window=window, out_shape=pixels.shape).any(0)
        if np.issubdtype(pixels.dtype, np.floating):
            valid &= np.isfinite(pixels).any(0)
        return valid

    def coarse_valid(self, path: Path, shape: tuple[int, int]) -> np.ndarray | None:
        """Where a raster has data, at a lower resolution; None if it cannot have pixels without.

        Shape:
            - result: ``shape``, bool

        Raises:
            InputError: The file is damaged.
        """
        from rasterio.errors import RasterioError

        raster = self.raster(path)
        floating = any(np.issubdtype(np.dtype(raster.dtypes[band - 1]), np.floating) for band in self.bands)
        if not floating and self._never_masked(raster):
            return None
        shape = (len(self.bands), *shape)
        try:
            # Masks come from the file; the pixels matter only where they may be NaN.
            pixels = raster.read(self.bands, out_shape=shape) if floating else np.empty(shape, np.uint8)
            return self._valid(raster, pixels)
        except RasterioError as error:
            raise InputError(f'{path}: cannot be read ({error}); the file is damaged, replace it') from error

    def _never_masked(self, raster: 'DatasetReader') -> bool:
        """Whether the file has neither a nodata value nor a mask for the bands."""
        from rasterio.enums import ColorInterp, MaskFlags

        alpha = {index for index, kind in enumerate(raster.colorinterp, start=1) if kind == ColorInterp.alpha}
        # A chosen band that the file calls transparency is data, such as near infrared: it masks nothing.
        if alpha & set(self.bands):
            return True
        return all(MaskFlags.all_valid in raster.mask_flag_enums[band - 1] for band in self.bands)
