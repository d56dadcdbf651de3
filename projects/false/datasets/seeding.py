"""Seeds that belong to a sample: views do not depend on the number of workers, and a resumed run repeats them.

:class:`SeededSampler` yields indices that carry a seed made of (run seed, epoch, position), and
:class:`NeighbourSampler` those of neighbouring patches one after the other. A data set with :class:`SeededSamples` runs
its pipeline under that seed and restores the global generators afterwards.
"""

from collections.abc import Iterator, Sized
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from mmengine.dist import get_dist_info, sync_random_seed
from mmengine.registry import DATA_SAMPLERS
from torch.utils.data import Sampler, get_worker_info

from projects.false.common.errors import InputError, check_count
from projects.false.common.random_state import seeded
from projects.false.patch_folder.places import described_folder, name_of_patch, read_places

if TYPE_CHECKING:  # the mixins go in front of a data set of MMEngine, whose methods they call
    from mmengine.dataset import BaseDataset as DatasetMixin
else:
    DatasetMixin = object


class SampleIndex(int):
    """An index of a data set that carries the seed of this visit; otherwise a plain int.

    Sums, differences and remainders keep the seed: MMEngine's joined and repeated data sets find the index in a part by
    them.

    Args:
        index: The index.
        seed: Run seed, epoch and position; empty for a visit without a seed.
    """

    seed: tuple[int, ...]

    def __new__(cls, index: int, seed: tuple[int, ...] = ()) -> 'SampleIndex':
        """Make an index."""
        made = super().__new__(cls, index)
        made.seed = seed
        return made

    def __add__(self, other: int) -> 'SampleIndex':
        return SampleIndex(int(self) + other, self.seed)

    __radd__ = __add__

    def __sub__(self, other: int) -> 'SampleIndex':
        return SampleIndex(int(self) - other, self.seed)

    def __mod__(self, other: int) -> 'SampleIndex':
        return SampleIndex(int(self) % other, self.seed)


class SeededSamples(DatasetMixin):
    """Mixin for MMEngine data sets: run the pipeline under the seed that the index carries."""

    def prepare_data(self, idx: int) -> dict:
        """Load and transform one sample under its own seed."""
        # In a worker process nothing else uses the generators, so they need not be restored.
        with seeded(getattr(idx, 'seed', ()), restore=get_worker_info() is None):
            return super().prepare_data(idx)


@DATA_SAMPLERS.register_module()
class SeededSampler(Sampler):
    """Shuffled indices, each with the seed of its visit.

    Of ``W`` processes, each gets every ``W``-th index.

    Args:
        dataset: The data set to draw from.
        seed: Seed of the run, 0 to 2**32 - 1; MMEngine's runner passes its own. None draws one, equal on all ranks.
        shuffle: Draw a new permutation every epoch, else keep the order of the data set.
        infinite: Never stop, epoch after epoch, for iteration-based training. Otherwise an iterator yields one epoch,
            which repeats its first samples so that all processes get the same number.
    """

    def __init__(self, dataset: Sized, seed: int | None = None, shuffle: bool = True, infinite: bool = False) -> None:
        self.rank, self.world_size = get_dist_info()
        self.size = len(dataset)
        self.seed = sync_random_seed() if seed is None else seed
        self.shuffle = shuffle
        self.infinite = infinite
        self.epoch = 0
        self.start = 0
        self._ordered_epoch = -1  # the epoch that _order belongs to
        self._order = np.arange(self.size)

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch of the next iterator; MMEngine's DistSamplerSeedHook calls it."""
        self.epoch = epoch

    def skip(self, num_samples: int) -> None:
        """Leave out samples that this process saw before an interruption; MMEngine's iteration loop calls it.

        With finite epochs, only the next iterator leaves them out, and the length of an epoch stays.
        """
        self.start = num_samples

    def __len__(self) -> int:
        return -(-self.size // self.world_size)

    def __iter__(self) -> Iterator[SampleIndex]:
        if not self.infinite:
            length = len(self) * self.world_size
            start, self.start = self.start, 0
            for position in range(start * self.world_size + self.rank, length, self.world_size):
                yield self._at(self.epoch, position % self.size)
            return
        position = self.start * self.world_size + self.rank
        while True:
            epoch, within = divmod(position, self.size)
            yield self._at(epoch, within)
            position += self.world_size

    def _at(self, epoch: int, position: int) -> SampleIndex:
        """Return the index at a position of an epoch, with its seed."""
        if self.shuffle and self._ordered_epoch != epoch:
            self._order = self.draw_order(np.random.default_rng((self.seed, epoch)))
            self._ordered_epoch = epoch
        return SampleIndex(int(self._order[position]), (self.seed, epoch, position))

    def draw_order(self, generator: np.random.Generator) -> np.ndarray:
        """Draw the order of an epoch, a permutation of all indices."""
        return generator.permutation(self.size)


@DATA_SAMPLERS.register_module()
class NeighbourSampler(SeededSampler):
    """Shuffled indices in which neighbouring patches of a raster follow one another, so that they meet in a batch.

    Every epoch lays a grid of square cells over each raster, with a random offset, and shuffles the cells. The patches
    of a cell follow one another in random order. Processes take turns, so that neighbours meet in the global batch that
    the loss compares. All else is as in :class:`SeededSampler`: seeded, the same for any number of
    workers, and resumable within an epoch.

    Args:
        dataset: Patches of a folder with ``dataset.json``.
        side: Side of a cell in pixels of the raster, at least 1; 256 holds 2 x 2 patches of 128 pixels.
        seed, infinite: See :class:`SeededSampler`.

    Raises:
        InputError: ``side`` is not a positive integer, or ``dataset.json`` does not know the patches.

    Example:
        ``--cfg-options train_dataloader.sampler.type=NeighbourSampler train_dataloader.sampler.side=256``
    """

    def __init__(self, dataset: Any, side: int = 256, seed: int | None = None, infinite: bool = False) -> None:
        check_count('side of NeighbourSampler', side)
        super().__init__(dataset, seed, shuffle=True, infinite=infinite)
        self.side = side
        paths = [Path(dataset.get_data_info(index)['img_path']) for index in range(len(dataset))]
        folders = {described_folder(path.parent) for path in paths}
        if len(folders) > 1:
            raise InputError(
                f'{", ".join(map(str, sorted(folders)))}: NeighbourSampler takes the patches of one data set; join none'
            )
        self.places = read_places(folders.pop()).of([name_of_patch(path) for path in paths])

    def draw_order(self, generator: np.random.Generator) -> np.ndarray:
        """Draw the grids, the order of their cells, and that of the patches of a cell."""
        raster, row, column = self.places.T
        shifts = generator.integers(0, self.side, (int(raster.max()) + 1, 2))
        cells = np.column_stack(
            [raster, (row + shifts[raster, 0]) // self.side, (column + shifts[raster, 1]) // self.side]
        )
        cell = np.unique(cells, axis=0, return_inverse=True)[1].reshape(-1)
        turn = generator.permutation(int(cell.max()) + 1)[cell]
        return np.lexsort([generator.random(self.size), turn])
