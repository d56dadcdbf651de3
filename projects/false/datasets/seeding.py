"""Randomness that belongs to a sample: the same views whatever the number of workers, and after a resume.

:class:`SeededSampler` hands out indices that carry a seed made of (run seed, epoch, position). A data set with
:class:`SeededSamples` runs its pipeline under that seed and leaves the global generators as it found them.
"""

from collections.abc import Iterator

import numpy as np
import torch
from mmengine.dist import get_dist_info, sync_random_seed
from mmengine.registry import DATA_SAMPLERS
from torch.utils.data import Sampler, get_worker_info

from projects.false.common.random_state import seeded


class SampleIndex(int):
    """A data set index that remembers the seed of this visit."""

    def __new__(cls, index: int, seed: tuple[int, ...] = ()) -> 'SampleIndex':
        """Make an index; it behaves as a plain int everywhere else."""
        made = super().__new__(cls, index)
        made.seed = seed
        return made


class SeededSamples:
    """Mixin for MMEngine data sets: a pipeline's randomness follows the index of :class:`SeededSampler`."""

    def prepare_data(self, idx: int) -> dict:
        """Load and transform one sample under its own seed."""
        # A worker process of a loader does nothing but this, so that there is nobody to put the generators back for.
        with seeded(getattr(idx, 'seed', ()), restore=get_worker_info() is None):
            return super().prepare_data(idx)


@DATA_SAMPLERS.register_module()
class SeededSampler(Sampler):
    """Shuffled indices, each with the seed of its visit; over several processes each gets every world-size-th one.

    Args:
        dataset: The data set to draw from.
        seed: Seed of the run, 0 to 2**32 - 1; MMEngine's runner passes its own. None draws one, equal on all ranks.
        shuffle: A new permutation every epoch, else the order of the data set.
        infinite: Go on for ever, epoch after epoch, for iteration-based training. Else one epoch an iterator, rounded
            up so that all processes get the same number (the first samples of the epoch come again).
    """

    def __init__(self, dataset, seed: int | None = None, shuffle: bool = True, infinite: bool = False) -> None:
        self.rank, self.world_size = get_dist_info()
        self.size = len(dataset)
        self.seed = sync_random_seed() if seed is None else seed
        self.shuffle = shuffle
        self.infinite = infinite
        self.epoch = 0
        self.start = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch of the next iterator; MMEngine's DistSamplerSeedHook calls it."""
        self.epoch = epoch

    def skip(self, num_samples: int) -> None:
        """Leave out samples that this process saw before an interruption; MMEngine's iteration loop calls it.

        Of finite epochs the next iterator alone leaves them out; the length of an epoch stays.
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
            epoch, place = divmod(position, self.size)
            yield self._at(epoch, place)
            position += self.world_size

    def _at(self, epoch: int, place: int) -> SampleIndex:
        if getattr(self, '_ordered', None) != epoch:
            order = torch.arange(self.size)
            if self.shuffle:
                order = torch.from_numpy(np.random.default_rng((self.seed, epoch)).permutation(self.size))
            self._ordered, self._order = epoch, order
        return SampleIndex(int(self._order[place]), (self.seed, epoch, place))
