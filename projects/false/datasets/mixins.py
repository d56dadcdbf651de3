"""Data sets of patches that take their pixels from packed patches when told to."""

import os
from functools import partial
from pathlib import Path

import numpy as np

from projects.false.errors import InputError
from projects.false.patch_folder.packed import PackedPatches, way_out

from .computed_samples import ComputedSamples


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
