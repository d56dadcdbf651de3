"""Windows read straight from large rasters in training, without cutting them into patches first.

:class:`RasterWindows` is the data set. :class:`RasterReader` keeps its rasters open and reads pixels, and
:func:`find_cells` lays a grid of cells over them and leaves out nodata. rasterio is imported on use, since
environments without it use the other data sets.
"""

import os
from collections import OrderedDict
from collections.abc import Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from mmengine.dataset import BaseDataset
from mmengine.logging import print_log
from mmengine.registry import DATASETS

from projects.false.common.errors import Faults, InputError, check_count, is_number
from projects.false.imagery.images import band_order
from projects.false.imagery.levels import to_8_bit
from projects.false.imagery.windows import grid
from projects.false.patch_folder.lists import list_images

from .mixins import ComputedSamples, SkipUnreadable, ViewsWithEvidence
from .seeding import SeededSamples

if TYPE_CHECKING:
    from rasterio.io import DatasetReader

_SHIFT_TRIES = 8  # shifted windows to try before the cell itself is read
_POINTS = 8  # points along each side of a window at which nodata is looked up
_MAX_OPEN = 64  # open rasters per process


@DATASETS.register_module()
class RasterWindows(ViewsWithEvidence, SkipUnreadable, SeededSamples, ComputedSamples, BaseDataset):
    """Square windows of rasters, at a slightly different place on each visit.

    A grid of cells covers the rasters; cells with too much nodata are left out at the start. A sample is a window
    within ``shift`` pixels of its cell, drawn by the seed of the visit: the same for the same seed, epoch and position,
    for any number of workers. ``sample_idx`` is the number of the cell, so that the queue of FALSEMoCo leaves out other
    windows of the same cell.

    Args:
        data_root: A raster, or the folder that the other paths are relative to.
        size: Side of a window in pixels.
        data_prefix: ``dict(img_path=folder of the rasters)``, searched with all folders below them.
        ann_file: List of raster names, one per line; empty takes all.
        stride: Distance between neighbouring cells in pixels, 1 to ``size``; None stands for ``size``.
        shift: Largest distance of a window from its cell in pixels, along rows and columns; None stands for half of
            ``size``.
        bands: Bands to read, counted from 1, red, green and blue first. Set ``LoadPatch(bands=...)`` to their number.
        max_nodata: Largest share of a window without data, in [0, 1). Pixels without data are 0.
        value_range: ``(low, high)``, values that become 0 and 255; required for rasters that are not 8 bit.
        samples_per_epoch: Length of an epoch. Epochs continue through the cells in an order drawn by the run's seed,
            and no cell comes again before all were visited. None visits every cell once per epoch.
        packed: Must be False, since there is nothing to pack.
        kwargs: ``max_unreadable`` of :class:`SkipUnreadable`, which counts windows instead of images; ``evidence`` of
            :class:`ViewsWithEvidence`; ``pipeline`` and other arguments of MMEngine's BaseDataset.

    Raises:
        InputError: An argument is out of range, or a raster is unusable.

    Example:
        Any pretraining recipe can use it without a separate config::

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
        **kwargs: Any,
    ) -> None:
        if packed:
            raise InputError(
                'packed=True does not fit RasterWindows; cut patches with tools/dataset_converters/rasters.py'
            )
        check_count('size of RasterWindows', size)
        if shift is not None and (type(shift) is not int or shift < 0):
            raise InputError(f'shift of RasterWindows is a number of pixels from 0 on, got {shift!r}')
        if stride is not None:
            check_count('stride of RasterWindows', stride)
        if not isinstance(bands, Sequence) or not bands or not all(type(band) is int and band > 0 for band in bands):
            raise InputError(f'bands of RasterWindows are a list of numbers, counted from 1, got {bands!r}')
        if not is_number(max_nodata) or not 0 <= max_nodata < 1:
            raise InputError(f'max_nodata of RasterWindows is a share in [0, 1), got {max_nodata!r}')
        if value_range is not None and not _is_range(value_range):
            raise InputError(f'value_range of RasterWindows is (low, high) with low < high, got {value_range!r}')
        if samples_per_epoch is not None:
            check_count('samples_per_epoch of RasterWindows', samples_per_epoch)
        self.size, self.stride = size, size if stride is None else stride
        self.shift = size // 2 if shift is None else shift
        self.max_nodata, self.samples_per_epoch = max_nodata, samples_per_epoch
        self.reader = RasterReader(bands, value_range)
        super().__init__(data_root=data_root, data_prefix=data_prefix or {'img_path': ''}, ann_file=ann_file, **kwargs)

    def open_entries(self) -> int:
        """Find the rasters and their cells."""
        root = Path(self.data_root)
        if root.is_file():
            if self.ann_file:
                raise InputError(f"{root}: a single raster, with the list {self.ann_file}; set ann_file=''")
            self.paths = [root]
        else:
            names = Path(self.ann_file) if self.ann_file else None
            self.paths = list_images(Path(self.data_prefix['img_path']), names, partial(print_log, logger='current'))
        self.cells, dropped = find_cells(self.reader, self.paths, self.size, self.stride, self.max_nodata)
        self.reader.close()
        if not len(self.cells):
            raise InputError(
                f'{self.data_root}: all {dropped} windows have more than {self.max_nodata:.0%} nodata; '
                'raise max_nodata, or give other rasters'
            )
        print_log(
            f'{len(self.cells)} windows of {self.size} pixels in {len(self.paths)} rasters; {dropped} left out with '
            f'more than {self.max_nodata:.0%} nodata',
            'current',
        )
        return self.samples_per_epoch or len(self.cells)

    @property
    def different(self) -> int:
        """Number of different windows that a training sees: the cells, however often they come in an epoch."""
        return len(self) if self.samples_per_epoch is None else len(self.cells)

    def entry(self, position: int, seed: tuple[int, ...]) -> dict:
        """Return the entry of a visit: its cell, and a function that reads a window near it."""
        cell = self._cell(position, seed)
        path, row, col = self._locate(cell)
        return {
            'sample_idx': cell,
            'img_path': f'{path}/{path.stem}_{row}_{col}',
            'read_image': partial(self._read_near, cell, seed),
        }

    def _cell(self, position: int, seed: tuple[int, ...]) -> int:
        """Return the number of the cell that a position in the epoch visits."""
        if self.samples_per_epoch is None or not seed:
            return position % len(self.cells)
        run_seed, epoch = seed[:2]
        passes, rest = divmod(epoch * self.samples_per_epoch + position, len(self.cells))
        return int(_permutation(run_seed, passes, len(self.cells))[rest])

    def _locate(self, cell: int) -> tuple[Path, int, int]:
        """Return raster, first row and first column of a cell."""
        number, row, col = self.cells[cell].tolist()
        return self.paths[number], row, col

    def _read_near(self, cell: int, seed: tuple[int, ...]) -> np.ndarray:
        """Read a shifted window with enough data, or the cell itself if none is found or there is no seed."""
        path, row, col = self._locate(cell)
        if self.shift and seed:
            raster, generator = self.reader.raster(path), np.random.default_rng((*seed, cell))
            for _ in range(_SHIFT_TRIES):
                down, right = generator.integers(-self.shift, self.shift + 1, 2).tolist()
                top = min(max(row + down, 0), raster.height - self.size)
                left = min(max(col + right, 0), raster.width - self.size)
                pixels, nodata = self.reader.read(path, top, left, self.size)
                if nodata <= self.max_nodata:
                    return pixels
        return self.reader.read(path, row, col, self.size)[0]


@lru_cache(maxsize=2)
def _is_range(value: object) -> bool:
    pair = isinstance(value, Sequence) and len(value) == 2 and all(is_number(end) for end in value)
    return pair and value[0] < value[1]  # type: ignore[index]


def _permutation(seed: int, passes: int, count: int) -> np.ndarray:
    """Return the order of the cells after a number of complete passes."""
    return np.random.default_rng((seed, passes)).permutation(count)


class RasterReader:
    """Keep rasters open, separately in every process, and read windows from them.

    Args:
        bands: Bands to read, counted from 1; red, green and blue first if there are three or more.
        value_range: Values that become 0 and 255; None takes 8-bit rasters as they are.
    """

    def __init__(self, bands: Sequence[int], value_range: Sequence[float] | None) -> None:
        self.bands = list(bands)
        self.ranges = None if value_range is None else [value_range] * len(self.bands)
        self._open: OrderedDict[tuple[int, Path], DatasetReader] = OrderedDict()

    def close(self) -> None:
        """Close the rasters of this process; called before a fork, so that no child inherits them."""
        while self._open:
            (process, _), raster = self._open.popitem()
            if process == os.getpid():
                raster.close()

    def __getstate__(self) -> dict:
        return {**self.__dict__, '_open': OrderedDict()}

    def raster(self, path: Path) -> 'DatasetReader':
        """Return a raster, opened on first use, with its type and bands checked.

        Raises:
            InputError: The file cannot be opened, lacks a band, or is not 8 bit although no value range is given.
        """
        from projects.false.imagery.rasters import open_handle

        key = os.getpid(), path  # a child must not use the handle of its parent
        if key not in self._open:
            raster = open_handle(path)
            self._check(path, raster)
            self._open[key] = raster
            if len(self._open) > _MAX_OPEN:
                (process, _), oldest = self._open.popitem(last=False)
                if process == os.getpid():
                    oldest.close()
        self._open.move_to_end(key)
        return self._open[key]

    def _check(self, path: Path, raster: 'DatasetReader') -> None:
        from projects.false.imagery.pixels import band_count, has_colors

        count = band_count(raster)
        if max(self.bands) > count:
            raise InputError(f'{path}: has {count} band(s), bands are {self.bands}; choose bands that it has')
        types = {'uint8'} if has_colors(raster) else {raster.dtypes[band - 1] for band in self.bands}
        if types != {'uint8'} and self.ranges is None:
            raise InputError(
                f'{path}: pixels are {", ".join(sorted(types))}, 8 bit (uint8) is needed; give '
                'value_range=(low, high), or scale it with tools/dataset_converters/rasters.py'
            )

    def read(self, path: Path, row: int, col: int, size: int) -> tuple[np.ndarray, float]:
        """Read a square window.

        Returns:
            Pixels, shape (size, size, bands), uint8, the first three blue, green and red, 0 where there is no data; and
            the share of pixels without data.

        Raises:
            InputError: The file is damaged.
        """
        from rasterio.errors import RasterioError

        from projects.false.imagery.pixels import read_window

        raster = self.raster(path)
        try:
            pixels, valid = read_window(raster, self.bands, row, col, size, size)
        except RasterioError as error:
            raise _damaged(path, f'at row {row}, column {col}', error) from error
        pixels = to_8_bit(pixels, valid, self.ranges)
        return np.ascontiguousarray(pixels[..., band_order(len(self.bands))]), 1 - float(valid.mean())

    def coarse_valid(self, path: Path, shape: tuple[int, int]) -> np.ndarray | None:
        """Return where a raster has data, at a lower resolution; None if the file cannot have pixels without data.

        Shape:
            - result: ``shape``, bool

        Raises:
            InputError: The file is damaged.
        """
        from rasterio.errors import RasterioError

        from projects.false.imagery.pixels import has_masks, read_window

        raster = self.raster(path)
        floating = any('float' in kind for kind in raster.dtypes)
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


def find_cells(
    reader: RasterReader, paths: Sequence[Path], size: int, stride: int, max_nodata: float
) -> tuple[np.ndarray, int]:
    """Lay a grid of windows over the rasters, and leave out those with too much nodata.

    Nodata is looked up at one point per ``size / 8`` pixels along rows and columns, and only in files that can have it.

    Args:
        reader: Reads the rasters.
        paths: The rasters.
        size: Side of the windows in pixels.
        stride: Distance between neighbouring windows in pixels, 1 to ``size``.
        max_nodata: Largest share of a window without data.

    Returns:
        The windows, and the number of those left out.

    Shape:
        - windows: (n, 3), int32; number of the raster, first row, first column

    Raises:
        InputError: Rasters are unusable or smaller than a window; all are looked at before three are named.
    """
    kept, dropped, faults = [], 0, Faults('rasters')
    for number, path in enumerate(paths):
        with faults.noted():
            raster = reader.raster(path)
            try:
                corners = np.array(grid(raster.height, raster.width, size, stride), np.int32)
            except InputError as error:
                raise InputError(f'{path}: {error}') from error
            nodata = _nodata_shares(reader, path, corners, size)
            enough = nodata <= max_nodata
            dropped += int(np.count_nonzero(~enough))
            kept.append(np.column_stack([np.full(len(corners), number, np.int32), corners])[enough])
    faults.check()
    return np.concatenate(kept), dropped


def _nodata_shares(reader: RasterReader, path: Path, corners: np.ndarray, size: int) -> np.ndarray:
    """Return the share of nodata in each window, (n,), from a coarse look at the raster."""
    raster = reader.raster(path)
    step = max(1, size // _POINTS)
    valid = reader.coarse_valid(path, (-(-raster.height // step), -(-raster.width // step)))
    if valid is None:
        return np.zeros(len(corners))
    # A summed-area table gives the sum over any rectangle from its four corners.
    total = np.pad((~valid).cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    first = corners // step
    last = np.minimum(-(-(corners + size) // step), valid.shape)
    missing = total[last[:, 0], last[:, 1]] - total[first[:, 0], last[:, 1]]
    missing += total[first[:, 0], first[:, 1]] - total[last[:, 0], first[:, 1]]
    return missing / np.prod(last - first, axis=1)
