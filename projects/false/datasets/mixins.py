"""Mixins that the data sets share.

:class:`ComputedSamples` computes entries on demand, :class:`PackedSamples` takes pixels from packed patches,
:class:`SkipUnreadable` replaces images that cannot be loaded, and :class:`ViewsWithEvidence` adds a step to the
pipeline.
"""

import copy
import logging
import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.logging import print_log
from mmengine.registry import TRANSFORMS

from projects.false.common.errors import InputError, type_name
from projects.false.patch_folder.packed import PackedPatches, way_out

from .seeding import DatasetMixin, SampleIndex

_PACKING = {'PackInputs': 'algorithm_keys', 'PackSelfSupInputs': 'pseudo_label_keys'}
"""The last step of a pipeline in mmpretrain and in mmselfsup, and its argument for fields of any name."""


class ComputedSamples(DatasetMixin):
    """Mixin for MMEngine data sets: compute the entry of an index when it is requested, instead of keeping a list.

    A subclass defines :meth:`open_entries` and :meth:`entry`. Where :attr:`computed` is false, MMEngine's own list of
    entries is used.
    """

    _fully_initialized: bool  # MMEngine's
    _chosen: np.ndarray | None = None  # positions of a subset; None for all
    _size = 0

    @property
    def computed(self) -> bool:
        """True if entries are computed on request."""
        return True

    def open_entries(self) -> int:
        """Open the source of the entries, once, and return their number."""
        raise NotImplementedError

    def entry(self, position: int, seed: tuple[int, ...]) -> dict:
        """Return the entry at a position of the data; ``seed`` is the seed of the visit, or empty."""
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
        """Return the entry of an index with its ``sample_idx``; negative indices count from the end."""
        if not self.computed:
            return super().get_data_info(idx)
        position = int(idx) + (len(self) if idx < 0 else 0)
        if not 0 <= position < len(self):
            raise IndexError(f'index {int(idx)} is out of range for a data set of {len(self)} samples')
        chosen = position if self._chosen is None else int(self._chosen[position])
        return {'sample_idx': position, **self.entry(chosen, getattr(idx, 'seed', ()))}

    def get_subset_(self, indices: int | Sequence[int]) -> None:
        """Keep a subset of the entries; see :func:`subset`."""
        if not self.computed:
            super().get_subset_(indices)
            return
        positions = np.arange(len(self)) if self._chosen is None else self._chosen
        self._chosen = subset(positions, indices)
        self._size = len(self._chosen)

    def get_subset(self, indices: int | Sequence[int]) -> 'ComputedSamples':
        """Return a data set with a subset of the entries; see :func:`subset`."""
        if not self.computed:
            return super().get_subset(indices)
        other = copy.copy(self)
        other.get_subset_(indices)
        return other


def subset(positions: np.ndarray, indices: int | Sequence[int]) -> np.ndarray:
    """Select positions by MMEngine's ``indices``: the first few, the last few if negative, or those listed."""
    if isinstance(indices, int):
        return positions[:indices] if indices >= 0 else positions[indices:]
    return positions[np.asarray(indices, int)]


class PackedSamples(ComputedSamples):
    """Mixin for data sets with ``data_root``, ``data_prefix`` and ``ann_file``: the same samples from packed patches.

    Memory does not grow with the number of patches, and a worker process receives paths instead of data.

    Args:
        packed: True takes the pixels from ``DATA_ROOT/packed``, and a string from that folder (relative to
            ``data_root`` unless absolute). False reads image files.

    Raises:
        InputError: The packed patches are missing, damaged, out of date, or made from another folder than ``img_path``.
    """

    _patches: PackedPatches  # from open_entries on
    _rows: np.ndarray | None = None  # rows of the list; None takes all patches in their order
    _rows_count: int | None = None  # length of _rows when the data set was pickled

    def __init__(self, *args: Any, packed: bool | str = False, **kwargs: Any) -> None:
        if not isinstance(packed, bool | str) or packed == '':
            raise InputError(f'packed is {packed!r}; give True, False or the folder of packed patches')
        self.packed = packed
        super().__init__(*args, **kwargs)

    @property
    def computed(self) -> bool:
        """True if pixels come from packed patches."""
        return bool(self.packed)

    def open_entries(self) -> int:
        """Map the packed patches and look up the rows of the list."""
        root = Path(self.data_root or '')
        folder = root / (self.packed if isinstance(self.packed, str) else 'packed')
        self._patches = PackedPatches(folder, root)
        for kind, key in (('images', 'img_path'), ('masks', 'seg_map_path')):
            facts = self._patches.description['sources'].get(kind)
            if key in self.data_prefix and facts and not _same_folder(self.data_prefix[key], root / facts['folder']):
                raise InputError(
                    f'{folder}: packed from {root / facts["folder"]}, but data_prefix.{key} is '
                    f'{self.data_prefix[key]}; set it to {facts["folder"]!r}, or {way_out(folder, root)} '
                    f'--{kind} FOLDER'
                )
        self._find_rows()
        return len(self._patches) if self._rows is None else len(self._rows)

    def _find_rows(self) -> None:
        if self.ann_file:
            self._rows = self._patches.rows(Path(self.ann_file))

    def row(self, position: int) -> int:
        """Return the row of the packed array for a position in the list."""
        if self.ann_file and self._rows is None:  # this process received the data set as a pickle
            self._find_rows()
            if self._rows is not None and len(self._rows) != self._rows_count:
                raise InputError(f'{self.ann_file}: changed while it was in use; start the run again')
        return position if self._rows is None else int(self._rows[position])

    def entry(self, position: int, seed: tuple[int, ...] = ()) -> dict:
        """Return the entry of a patch: a path for messages, and a function that reads its pixels."""
        row = self.row(position)
        name = self._patches.name(row)
        # Looks like a file below the data set, wherever the pixels are: that is where what belongs to it is looked for.
        folder = Path(self.data_root) / 'packed' if self.data_root else self._patches.folder
        return {
            'img_path': f'{folder}/images.npy/{name}',
            'read_image': partial(self._patches.image, row),
        }

    def __getstate__(self) -> dict:
        rows = self._rows
        return {**self.__dict__, '_rows': None, '_rows_count': None if rows is None else len(rows)}


def _same_folder(prefix: str, folder: Path) -> bool:
    return os.path.abspath(prefix) == os.path.abspath(folder)


class SkipUnreadable(DatasetMixin):
    """Mixin for MMEngine data sets: replace samples that cannot be loaded, up to a limit.

    The next readable sample of the data set replaces an unreadable image, or one whose mask does not fit. Its
    views are the same for any number of workers. The path is reported once. Each image counts once, over all worker
    processes of the data set and all epochs; every process of a distributed run counts its own.

    Args:
        max_unreadable: Number of images that may be skipped; one more stops the run. 0 stops at the first. Must be 0 in
            testing, where every image counts.

    Example:
        ``--cfg-options train_dataloader.dataset.max_unreadable=10``
    """

    def __init__(self, *args: Any, max_unreadable: int = 0, test_mode: bool = False, **kwargs: Any) -> None:
        if isinstance(max_unreadable, bool) or not isinstance(max_unreadable, int) or max_unreadable < 0:
            raise InputError(f'max_unreadable is {max_unreadable!r}; give a number of images, 0 to stop at the first')
        if max_unreadable and test_mode:
            raise InputError(
                f'max_unreadable is {max_unreadable} with test_mode; give 0, since a test leaves no image out'
            )
        self.max_unreadable = max_unreadable
        self._unreadable: torch.Tensor | None = None
        super().__init__(*args, test_mode=test_mode, **kwargs)

    def full_init(self) -> None:
        """Allocate one mark per image, in memory that the workers share."""
        super().full_init()
        if self.max_unreadable and self._unreadable is None:
            self._unreadable = torch.zeros(len(self), dtype=torch.uint8).share_memory_()

    @property
    def unreadable(self) -> list[int]:
        """Indices of the images skipped so far."""
        return [] if self._unreadable is None else self._unreadable.nonzero().flatten().tolist()

    def prepare_data(self, idx: int) -> dict:
        """Load a sample, or the next readable one."""
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
        """Mark an image as unreadable and log it, once; stop the run above the limit."""
        marks = self._unreadable
        if marks is None:  # full_init has not run
            raise error
        if marks[index]:
            return
        count = int(marks.sum()) + 1
        if count > self.max_unreadable:
            raise InputError(f'{error} (unreadable image {count}, max_unreadable is {self.max_unreadable})') from error
        marks[index] = 1
        print_log(
            f'skipped, {count} of at most {self.max_unreadable} unreadable images: {error}', 'current', logging.WARNING
        )


class ViewsWithEvidence(DatasetMixin):
    """Mixin for MMEngine data sets: add one or several pipeline steps that find out what the views show.

    A recipe need not repeat the whole pipeline, although MMEngine's configs replace lists as a whole.

    Args:
        evidence: Step as for :func:`with_evidence`, such as ``dict(type='ViewAppearance')``, or a list of steps; None
            adds nothing.
        pipeline: The other steps.

    Raises:
        InputError: See :func:`with_evidence`.

    Example:
        ``train_dataloader = dict(dataset=dict(evidence=dict(type='ViewAppearance')))``
    """

    def __init__(
        self, *args: Any, evidence: dict | list | None = None, pipeline: Sequence[Any] = (), **kwargs: Any
    ) -> None:
        super().__init__(*args, pipeline=with_evidence(pipeline, evidence), **kwargs)


def with_evidence(pipeline: Sequence[Any], evidence: dict | list | None) -> list[Any]:
    """Insert a step that finds out what the views show before the last step, which then packs the result.

    Args:
        pipeline: Configs of steps; the last is ``PackInputs`` of mmpretrain or ``PackSelfSupInputs`` of mmselfsup.
        evidence: Config of the step, or a list of several. A step stores ``results['evidence']``, or the field that
            its class names as ``field``. None changes nothing.

    Raises:
        InputError: ``evidence`` is not a known step, or nothing packs its result.
    """
    if evidence is None:
        return list(pipeline)
    if isinstance(evidence, list | tuple):
        for step in evidence:
            pipeline = with_evidence(pipeline, step)
        return list(pipeline)
    kind = evidence.get('type') if isinstance(evidence, dict) else None
    step = TRANSFORMS.get(kind) if isinstance(kind, str) else kind
    if step is None:
        raise InputError(f"evidence is {evidence!r}; give a known step, such as dict(type='ViewAppearance')")
    pack = pipeline[-1] if pipeline else None
    argument = _PACKING.get(type_name(pack.get('type'))) if isinstance(pack, dict) else None
    if not isinstance(pack, dict) or argument is None:
        raise InputError('evidence needs a pipeline whose last step is PackInputs; add it, or set evidence=None')
    fields = [*pack.get(argument, ()), getattr(step, 'field', 'evidence')]
    return [*pipeline[:-1], evidence, {**pack, argument: fields}]
