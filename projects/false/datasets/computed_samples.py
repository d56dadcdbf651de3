"""Data sets whose entries are computed when asked for, instead of kept in a list of a million dictionaries."""

import copy
from collections.abc import Sequence

import numpy as np


class ComputedSamples:
    """Mixin for MMEngine data sets.

    A subclass gives :meth:`open_entries` and :meth:`entry`. Where ``computed`` is false, everything is as in MMEngine.
    """

    computed = True

    def open_entries(self) -> int:
        """Open what the entries come from, once; returns how many there are."""
        raise NotImplementedError

    def entry(self, place: int, seed: tuple[int, ...]) -> dict:
        """The entry at a place of the data; ``seed`` is that of the visit, empty if there is none."""
        raise NotImplementedError

    def full_init(self) -> None:
        """Open the data; MMEngine calls it from the constructor."""
        if not self.computed:
            super().full_init()
        elif not self._fully_initialized:
            size = self.open_entries()
            self._chosen = None if self._indices is None else subset(np.arange(size), self._indices)
            self._size = size if self._chosen is None else len(self._chosen)
            self._fully_initialized = True

    def __len__(self) -> int:
        if not self.computed:
            return super().__len__()
        if not self._fully_initialized:
            self.full_init()
        return self._size

    def get_data_info(self, idx: int) -> dict:
        """The entry of an index, negative ones from the end, with ``sample_idx``."""
        if not self.computed:
            return super().get_data_info(idx)
        place = int(idx) + (len(self) if idx < 0 else 0)
        if not 0 <= place < len(self):
            raise IndexError(f'index {int(idx)} of a data set of {len(self)}')
        chosen = place if self._chosen is None else int(self._chosen[place])
        return {'sample_idx': place, **self.entry(chosen, getattr(idx, 'seed', ()))}

    def get_subset_(self, indices: int | Sequence[int]) -> None:
        """Keep the first (or, negative, the last) few entries, or those listed."""
        if not self.computed:
            super().get_subset_(indices)
            return
        places = np.arange(len(self)) if self._chosen is None else self._chosen
        self._chosen = subset(places, indices)
        self._size = len(self._chosen)

    def get_subset(self, indices: int | Sequence[int]):
        """A data set of some of the entries; as :meth:`get_subset_`."""
        if not self.computed:
            return super().get_subset(indices)
        other = copy.copy(self)
        other.get_subset_(indices)
        return other


def subset(places: np.ndarray, indices: int | Sequence[int]) -> np.ndarray:
    """MMEngine's ``indices``: the first few, the last few if negative, or those listed."""
    if isinstance(indices, int):
        return places[:indices] if indices >= 0 else places[indices:]
    return places[np.asarray(indices, int)]
