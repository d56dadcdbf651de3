"""Windows read straight from large rasters in training, without cutting them into patches first."""

import os
from collections import OrderedDict
from collections.abc import Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from mmengine.dataset import BaseDataset
from mmengine.logging import print_log
from mmengine.registry import DATASETS

from projects.false.common.errors import InputError
from projects.false.imagery.images import band_order
from projects.false.imagery.windows import grid
from projects.false.patch_folder.lists import list_images

from .mixins import ComputedSamples, SkipUnreadable
from .seeding import SeededSamples

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
        from projects.false.imagery.rasters import open_handle

        key = os.getpid(), path  # a handle must not be used on the other side of a fork
        if key not in self._open:
            raster = open_handle(path)
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

        from projects.false.imagery.rasters import read_window

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
        return np.ascontiguousarray(pixels[..., band_order(pixels.shape[2])]), 1 - float(valid.mean())

    def coarse_valid(self, path: Path, shape: tuple[int, int]) -> np.ndarray | None:
        """Where a raster has data, at a lower resolution; None if it cannot have pixels without.

        Shape:
            - result: ``shape``, bool

        Raises:
            InputError: The file is damaged.
        """
        from rasterio.errors import RasterioError

        from projects.false.imagery.rasters import has_masks, read_window

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


_POINTS = 8  # of the coarse look, along a side of a window


def find_cells(
    reader: RasterReader, paths: Sequence[Path], size: int, stride: int, max_nodata: float
) -> tuple[np.ndarray, int]:
    """Windows that cover the rasters, and have enough data.

    Nodata is looked for at one point in ``size / 8`` pixels each way, and only where the file can have any.

    Args:
        reader: Reads the rasters.
        paths: The rasters.
        size: Side of the windows in pixels.
        stride: Distance of neighbouring windows in pixels, 1 to ``size``.
        max_nodata: Largest share of a window without data.

    Returns:
        The windows, and how many were left out.

    Shape:
        - windows: (n, 3), int32: number of the raster, first row, first column

    Raises:
        InputError: A raster is unusable or smaller than a window.
    """
    kept, dropped = [], 0
    for number, path in enumerate(paths):
        raster = reader.raster(path)
        try:
            places = np.array(grid(raster.height, raster.width, size, stride), np.int32)
        except InputError as error:
            raise InputError(f'{path}: {error}') from error
        nodata = _nodata_shares(reader, path, places, size)
        enough = nodata <= max_nodata
        dropped += int(np.count_nonzero(~enough))
        kept.append(np.column_stack([np.full(len(places), number, np.int32), places])[enough])
    return np.concatenate(kept), dropped


def _nodata_shares(reader: RasterReader, path: Path, places: np.ndarray, size: int) -> np.ndarray:
    raster = reader.raster(path)
    step = max(1, size // _POINTS)
    valid = reader.coarse_valid(path, (-(-raster.height // step), -(-raster.width // step)))
    if valid is None:
        return np.zeros(len(places))
    # Sums over rectangles from sums over corners.
    total = np.pad((~valid).cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    first = places // step
    last = np.minimum(-(-(places + size) // step), valid.shape)
    missing = total[last[:, 0], last[:, 1]] - total[first[:, 0], last[:, 1]]
    missing += total[first[:, 0], first[:, 1]] - total[last[:, 0], first[:, 1]]
    return missing / np.prod(last - first, axis=1)


_TRIES = 8


@DATASETS.register_module()
class RasterWindows(SkipUnreadable, SeededSamples, ComputedSamples, BaseDataset):
    """Square windows of rasters, each visit a little elsewhere.

    A grid of windows covers the rasters; those with too much nodata are left out at the start. A sample is a window
    within ``shift`` pixels of its grid cell, drawn by the seed of the visit: the same for the same seed, epoch and
    place, whatever the number of workers. ``sample_idx`` is the number of the cell, so that the queue of FALSEMoCo
    leaves out other windows of the same place.

    Args:
        data_root: A raster, or the folder that the other paths are relative to.
        size: Side of a window in pixels.
        data_prefix: ``dict(img_path=folder of the rasters)``, searched with all folders below.
        ann_file: List of raster names, one a line; empty takes all.
        stride: Distance of the cells in pixels, 1 to ``size``; None stands for ``size``.
        shift: Largest distance of a window from its cell in pixels, both ways; None stands for half of ``size``.
        bands: Bands to read, counted from 1, red, green and blue first. ``LoadPatch(bands=...)`` has their number.
        max_nodata: Largest share of a window without data, in [0, 1). Pixels without data are 0.
        value_range: ``(low, high)``, grey levels that become 0 and 255: for rasters that are not 8 bit.
        samples_per_epoch: Length of an epoch; epochs go on through the cells in an order drawn by the run's seed, none
            comes again before all were seen. None takes every cell once an epoch.
        packed: Only False: there is nothing to pack.
        max_unreadable: As of :class:`SkipUnreadable`, windows instead of images.
        pipeline, kwargs: As of MMEngine's BaseDataset.

    Raises:
        InputError: An argument is out of range, or a raster is unusable.

    Example:
        Any pretraining recipe, without a config of its own::

            python tools/train.py configs/false_simclr_r18_synthetic.py --cfg-options \\
                train_dataloader.dataset.type=RasterWindows train_dataloader.dataset.size=128 \\
                train_dataloader.dataset.data_root=SRC \\
                train_dataloader.dataset.data_prefix.img_path='' train_dataloader.dataset.ann_file=''
    """

    def __init__(
        self,
        data_root: str,
        size: int,
        data_prefix: dict | None = None,
        ann_file: str = '',
        stride: int | None = None,
        shift: int | None = None,
        bands: Sequence[int] = (1, 2, 3),
        max_nodata: float = 0.5,
        value_range: Sequence[float] | None = None,
        samples_per_epoch: int | None = None,
        packed: bool = False,
        **kwargs,
    ) -> None:
        if packed:
            raise InputError('packed=True does not fit RasterWindows; cut with tools/dataset_converters/rasters.py')
        if size < 1 or (shift is not None and shift < 0):
            raise InputError(f'size {size} and shift {shift} of RasterWindows are pixels; give a size of at least 1')
        if not bands or min(bands) < 1:
            raise InputError(f'bands of RasterWindows are counted from 1, got {list(bands)}')
        if not 0 <= max_nodata < 1:
            raise InputError(f'max_nodata of RasterWindows is a share in [0, 1), got {max_nodata}')
        if value_range is not None and (len(value_range) != 2 or not value_range[0] < value_range[1]):
            raise InputError(f'value_range of RasterWindows is (low, high) with low < high, got {value_range}')
        if samples_per_epoch is not None and samples_per_epoch < 1:
            raise InputError(f'samples_per_epoch of RasterWindows is at least 1, got {samples_per_epoch}')
        self.size, self.stride = size, size if stride is None else stride
        self.shift = size // 2 if shift is None else shift
        self.max_nodata, self.samples_per_epoch = max_nodata, samples_per_epoch
        self.reader = RasterReader(bands, None if value_range is None else tuple(value_range))
        super().__init__(data_root=data_root, data_prefix=data_prefix or {'img_path': ''}, ann_file=ann_file, **kwargs)

    def open_entries(self) -> int:
        """Find the rasters and their windows."""
        root = Path(self.data_root)
        if root.is_file():
            if self.ann_file:
                raise InputError(f"{root}: a single raster, with the list {self.ann_file}; set ann_file=''")
            self.paths = [root]
        else:
            self.paths = list_images(Path(self.data_prefix['img_path']), Path(self.ann_file) if self.ann_file else None)
        self.cells, dropped = find_cells(self.reader, self.paths, self.size, self.stride, self.max_nodata)
        self.reader.close()
        if not len(self.cells):
            raise InputError(
                f'{self.data_root}: every one of {dropped} windows has more than {self.max_nodata:.0%} nodata; '
                'raise max_nodata, or give other rasters'
            )
        print_log(
            f'{len(self.cells)} windows of {self.size} pixels in {len(self.paths)} rasters; {dropped} left out with '
            f'more than {self.max_nodata:.0%} nodata',
            'current',
        )
        return self.samples_per_epoch or len(self.cells)

    def entry(self, place: int, seed: tuple[int, ...]) -> dict:
        """The entry of a visit: the cell, and the way to the pixels of a window near it."""
        cell = self._cell(place, seed)
        number, row, col = self.cells[cell].tolist()
        path = self.paths[number]
        return {
            'sample_idx': cell,
            'img_path': f'{path}/{path.stem}_{row}_{col}',
            'read_image': partial(self._read, cell, seed),
        }

    def _cell(self, place: int, seed: tuple[int, ...]) -> int:
        if self.samples_per_epoch is None or not seed:
            return place % len(self.cells)
        run_seed, epoch = seed[:2]
        turn, place = divmod(epoch * self.samples_per_epoch + place, len(self.cells))
        return int(_permutation(run_seed, turn, len(self.cells))[place])

    def _read(self, cell: int, seed: tuple[int, ...]) -> np.ndarray:
        number, row, col = self.cells[cell].tolist()
        path = self.paths[number]
        if self.shift and seed:
            raster, generator = self.reader.raster(path), np.random.default_rng((*seed, cell))
            for _ in range(_TRIES):
                down, right = generator.integers(-self.shift, self.shift + 1, 2).tolist()
                top = min(max(row + down, 0), raster.height - self.size)
                left = min(max(col + right, 0), raster.width - self.size)
                pixels, nodata = self.reader.read(path, top, left, self.size)
                if nodata <= self.max_nodata:
                    return pixels
        return self.reader.read(path, row, col, self.size)[0]


@lru_cache(maxsize=2)
def _permutation(seed: int, turn: int, count: int) -> np.ndarray:
    return np.random.default_rng((seed, turn)).permutation(count)
