"""More lists for patches that are converted already: other labelled shares, other seeds, published lists."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from projects.false.datasets.dataset_json import read_labelled_description
from projects.false.datasets.splits import label_subset, read_list, write_list
from projects.false.errors import InputError

from .published_lists import PUBLISHED_LISTS, published_patches


class NewList(NamedTuple):
    """A list of patches.

    Args:
        name: File name without suffix.
        names: Patches, as in the file.
        pixels: Pixels of every class, shape (C,).
        missing: Classes that other training patches have and this list has not; of a published list for testing, those
            that no patch of it shows.
        nowhere: Classes that no training patch has.
        state: ``'new'``, ``'unchanged'`` or ``'replaced'``.
    """

    name: str
    names: list[str]
    pixels: np.ndarray
    missing: list[str]
    nowhere: list[str]
    state: str


def write_lists(
    data_root: str | Path,
    fractions: Sequence[float] = (),
    seeds: Sequence[int] = (0,),
    published: Sequence[str] = (),
    overwrite: bool = False,
) -> list[NewList]:
    """Write ``splits/train_<percent>pct_seed<seed>.txt`` for every share and seed, and published lists by their names.

    Drawn are patches of ``splits/train.txt``. The seed that the converter used leaves ``_seed<seed>`` out, so that its
    ``train_1pct.txt`` keeps its name and content. Nothing is written before everything is known to be right, and
    ``dataset.json`` stays as it is.

    Args:
        data_root: Folder as a converter leaves it.
        fractions: Shares of the training patches, in (0, 1]; of one seed, a smaller is part of a larger.
        seeds: Seeds of the draws, at least 0.
        published: Keys of :data:`.published_lists.PUBLISHED_LISTS`.
        overwrite: Replace lists whose content differs.

    Raises:
        InputError: An argument is out of range, the data has no labels, a list is in the way, or cannot be written.
    """
    if not fractions and not published:
        raise InputError('nothing to do; give --fractions such as 0.01, or --published with the name of a list')
    description = read_labelled_description(data_root)
    folder = Path(data_root) / 'splits'
    pixels_of = {patch['name']: patch['pixels'][:-1] for patch in description['patches']}
    train = _training_patches(folder / 'train.txt', pixels_of)
    counts = np.array([pixels_of[name] for name in train])
    chosen: dict[str, tuple[list[str], Sequence[int]]] = {}
    for seed in dict.fromkeys(seeds):
        for fraction in sorted(set(fractions)):
            subset = label_subset(train, counts, fraction, seed)
            name = f'train_{fraction * 100:g}pct' + ('' if seed == description.get('seed') else f'_seed{seed}')
            if name in chosen:
                raise InputError(f'fractions {fraction} and one before it both give {name}.txt; round to fewer digits')
            chosen[name] = subset.names, subset.missing_classes
    for name in dict.fromkeys(published):
        names = published_patches(name, description)
        exists = counts.any(axis=0) if PUBLISHED_LISTS[name] == 'train' else np.ones(counts.shape[1], bool)
        seen = np.array([pixels_of[patch] for patch in names]).any(axis=0)
        chosen[name] = names, np.flatnonzero(exists & ~seen)
    nowhere = [label for label, found in zip(description['classes'], counts.any(axis=0), strict=True) if not found]
    results = []
    for name, (names, missing) in chosen.items():
        pixels = np.array([pixels_of[patch] for patch in names]).sum(axis=0)
        state = _state(folder / f'{name}.txt', names, overwrite)
        results.append(NewList(name, names, pixels, [description['classes'][i] for i in missing], nowhere, state))
    for result in results:
        if result.state != 'unchanged':
            try:
                write_list(folder / f'{result.name}.txt', result.names)
            except OSError as error:
                raise InputError(
                    f'{folder / result.name}.txt: cannot be written ({error}); make room for it'
                ) from error
    return results


def _training_patches(path: Path, known: dict) -> list[str]:
    names = read_list(path)
    unknown = [name for name in names if name not in known]
    if unknown:
        raise InputError(
            f'{path}: {len(unknown)} of {len(names)} patches are not in dataset.json, the first is {unknown[0]!r}; '
            'mend the list or convert the data again'
        )
    return names


def _state(path: Path, names: list[str], overwrite: bool) -> str:
    if not path.exists():
        return 'new'
    if path.is_file() and path.read_bytes() == ''.join(f'{name}\n' for name in names).encode():
        return 'unchanged'
    if not overwrite:
        raise InputError(f'{path}: exists with other content; --overwrite replaces it, no list was written')
    return 'replaced'
