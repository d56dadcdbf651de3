"""Draw the few patches whose labels may be used, and write them as lists."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from projects.false.common.errors import InputError
from projects.false.common.files import writable

from .description import read_labelled_description
from .lists import read_list, write_list
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
            with writable(f'{folder / result.name}.txt', 'make room for it'):
                write_list(folder / f'{result.name}.txt', result.names)
    return results


def _training_patches(path: Path, known: dict[str, list[int]]) -> list[str]:
    names = read_list(path, known.keys())
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


class LabelSubset(NamedTuple):
    """The patches whose labels may be used.

    Args:
        names: Chosen names, in the order of the candidates.
        missing_classes: Indices of the classes that occur among the candidates but not in the subset.
    """

    names: list[str]
    missing_classes: list[int]


def label_subset(names: Sequence[str], class_counts: np.ndarray, fraction: float, seed: int) -> LabelSubset:
    """Draw the labelled share of the training patches: seeded, nested, with every class where possible.

    One seed fixes one order of all patches, and a fraction takes its head: a smaller fraction is a subset of a larger
    one. The order starts with a greedy cover of the classes (each time the patch that adds most classes), goes on at
    random, and ends with the patches that have no labelled pixel. The cover is short, so the rest stays a fair draw.

    Args:
        names: n candidate names, all different. Their order does not matter for the choice.
        class_counts: Labelled pixels of every class in every patch.
        fraction: Share of the candidates, in (0, 1]; ``round(fraction * n)`` patches, at least 1.
        seed: Seed of the draw, at least 0.

    Shape:
        - class_counts: (n, C)

    Raises:
        InputError: An argument is out of range.
    """
    counts = np.asarray(class_counts)
    if not 0 < fraction <= 1:
        raise InputError(f'label fraction is {fraction}; give a share above 0 and at most 1, such as 0.01 for 1 %')
    if seed < 0:
        raise InputError(f'seed is {seed}; give 0 or more')
    if not len(names):
        raise InputError('no patches to draw labels from; give at least one training image')
    if counts.ndim != 2 or len(counts) != len(names):
        raise InputError(f'class_counts has shape {counts.shape}; give one row for each of the {len(names)} names')
    if len(set(names)) != len(names):
        raise InputError('a name occurs twice among the candidates; every patch needs its own')
    by_name = np.array(sorted(range(len(names)), key=names.__getitem__))
    order = by_name[_order(counts[by_name], np.random.default_rng(seed))]
    chosen = np.sort(order[: max(1, round(fraction * len(names)))])
    missing = (counts.sum(axis=0) > 0) & (counts[chosen].sum(axis=0) == 0)
    return LabelSubset([names[i] for i in chosen], np.flatnonzero(missing).tolist())


def _order(counts: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    permutation = rng.permutation(len(counts))
    counts = counts[permutation]
    present = counts > 0
    typical = present & (counts >= [np.median(column[column > 0]) if column.any() else 0 for column in counts.T])
    open_classes = present.any(axis=0)
    head: list[int] = []
    while open_classes.any():
        # Among patches that add as many classes, take one with a typical area of them instead of a few pixels.
        gain = present[:, open_classes].sum(axis=1) * (counts.shape[1] + 1) + typical[:, open_classes].sum(axis=1)
        head.append(int(gain.argmax()))
        open_classes &= ~present[head[-1]]
    rest = np.setdiff1d(np.arange(len(counts)), head)
    labelled = present[rest].any(axis=1)
    return permutation[np.concatenate([np.array(head, int), rest[labelled], rest[~labelled]])]
