"""Windows of GeoTIFFs as they are, for pretraining without cutting."""

from collections.abc import Sequence
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
from mmengine.dataset import BaseDataset
from mmengine.logging import print_log
from mmengine.registry import DATASETS

from projects.false.errors import InputError

from .computed_samples import ComputedSamples
from .patches import list_images
from .raster_cells import find_cells
from .raster_reader import RasterReader
from .seeding import SeededSamples
from .unreadable import SkipUnreadable

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
