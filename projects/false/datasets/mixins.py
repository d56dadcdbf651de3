"""What the data sets share: entries computed on demand, packed pixels, and unreadable images that are skipped."""

import copy
import logging
import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from mmengine.logging import print_log

from projects.false.common.errors import InputError
from projects.false.patch_folder.packed import PackedPatches, way_out

from .seeding import SampleIndex


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


class PackedSamples(ComputedSamples):
    """Mixin for data sets with ``data_root``, ``data_prefix`` and ``ann_file``: the same samples from packed patches.

    Nothing is kept for a single patch, and a worker process gets paths, not data.

    Args:
        packed: True takes the pixels from ``DATA_ROOT/packed``, a string from that folder (relative to ``data_root``
            unless absolute); False reads image files.

    Raises:
        InputError: The packed patches are missing, damaged, out of date, or of another folder than ``img_path``.
    """

    def __init__(self, *args, packed: bool | str = False, **kwargs) -> None:
        self.packed = packed
        self._patches: PackedPatches | None = None
        self._rows: np.ndarray | None = None
        super().__init__(*args, **kwargs)

    @property
    def computed(self) -> bool:
        """Whether pixels come from the array."""
        return bool(self.packed)

    def open_entries(self) -> int:
        """Map the array and find the rows of the list."""
        root = Path(self.data_root or '')
        folder = root / ('packed' if self.packed is True else self.packed)
        self._patches = PackedPatches(folder, root)
        for kind, key in (('images', 'img_path'), ('masks', 'seg_map_path')):
            facts = self._patches.description['sources'].get(kind)
            if key in self.data_prefix and facts and _other(self.data_prefix[key], root / facts['folder']):
                raise InputError(
                    f'{folder}: packed from {root / facts["folder"]}, but data_prefix.{key} is '
                    f'{self.data_prefix[key]}; set it to {facts["folder"]!r}, or {way_out(root / "packed")} '
                    f'--{kind} FOLDER'
                )
        self._find_rows()
        return len(self._patches) if self._rows is None else len(self._rows)

    def _find_rows(self) -> None:
        self._rows = self._patches.rows(Path(self.ann_file)) if self.ann_file else None

    def row(self, place: int) -> int:
        """Row of the packed array for a place of the list."""
        if self.ann_file and self._rows is None:  # this process got the data set as a pickle
            self._find_rows()
            if self._rows_count != len(self._rows):
                raise InputError(f'{self.ann_file}: changed while it was in use; start the run again')
        return place if self._rows is None else int(self._rows[place])

    def entry(self, place: int, seed: tuple[int, ...] = ()) -> dict:
        """The entry of a patch: a name for messages and the way to its pixels."""
        row = self.row(place)
        name = self._patches.name(row)
        return {
            # Like a file in a folder of this name, so that stem and name of the path are those of the patch.
            'img_path': f'{self._patches.folder}/images.npy/{name}',
            'read_image': partial(self._patches.image, row),
        }

    def __getstate__(self) -> dict:
        rows = self._rows
        return {**self.__dict__, '_rows': None, '_rows_count': None if rows is None else len(rows)}


def _other(prefix: str, folder: Path) -> bool:
    return os.path.abspath(prefix) != os.path.abspath(folder)


class SkipUnreadable:
    """Mixin for MMEngine data sets: what a file does to a sample that cannot be loaded.

    An unreadable image, or a mask that does not fit it, is reported with its path once, and the next image of the data
    set stands in for it, with the same views whatever the number of workers. Each image counts once, over all worker
    processes of the data set and all epochs; every process of a distributed run counts its own.

    Args:
        max_unreadable: How many images may be skipped; one more stops the run. 0 stops at the first. Not for testing,
            where every image counts.

    Example:
        ``--cfg-options train_dataloader.dataset.max_unreadable=10``
    """

    def __init__(self, *args, max_unreadable: int = 0, test_mode: bool = False, **kwargs) -> None:
        if isinstance(max_unreadable, bool) or not isinstance(max_unreadable, int) or max_unreadable < 0:
            raise InputError(f'max_unreadable is {max_unreadable!r}; give a number of images, 0 to stop at the first')
        if max_unreadable and test_mode:
            raise InputError(f'max_unreadable is {max_unreadable} with test_mode; a test leaves no image out, give 0')
        self.max_unreadable = max_unreadable
        self._unreadable: torch.Tensor | None = None
        super().__init__(*args, test_mode=test_mode, **kwargs)

    def full_init(self) -> None:
        """Make room for one mark an image, in memory that the workers share."""
        super().full_init()
        if self.max_unreadable and self._unreadable is None:
            self._unreadable = torch.zeros(len(self), dtype=torch.uint8).share_memory_()

    @property
    def unreadable(self) -> list[int]:
        """Indices of the images that were skipped so far."""
        return [] if self._unreadable is None else self._unreadable.nonzero().flatten().tolist()

    def prepare_data(self, idx: int) -> dict:
        """Load a sample, or the first readable one after it."""
        if not self.max_unreadable:
            return super().prepare_data(idx)
        seed, size = getattr(idx, 'seed', ()), len(self)
        for step in range(size):
            candidate = SampleIndex((int(idx) + step) % size, seed)
            try:
                return super().prepare_data(candidate)
            except InputError as error:
                self._report(int(candidate), error)
        raise InputError(f'none of the {size} images can be read; check data_root')

    def _report(self, index: int, error: InputError) -> None:
        if self._unreadable[index]:
            return
        count = int(self._unreadable.sum()) + 1
        if count > self.max_unreadable:
            raise InputError(f'{error} (unreadable image {count}, max_unreadable is {self.max_unreadable})') from error
        self._unreadable[index] = 1
        print_log(
            f'skipped, {count} of at most {self.max_unreadable} unreadable images: {error}', 'current', logging.WARNING
        )
