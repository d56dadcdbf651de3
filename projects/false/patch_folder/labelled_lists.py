"""Draw the small share of patches whose labels are used, and write it as a list."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from projects.false.common.errors import InputError, check_seed
from projects.false.common.files import writable

from .description import read_labelled_description
from .lists import check_once, read_list, write_list
from .published_lists import PUBLISHED_LISTS, published_patches


class NewList(NamedTuple):
    """A list of labelled patches, and the classes in it.

    Args:
        name: File name without suffix.
        names: Patches, in the order of the file.
        pixels: Number of labelled pixels per class, shape (C,).
        missing: Classes that occur in other training patches but not in this list. For a published test list, all
            classes that do not occur in it.
        nowhere: Classes that occur in no training patch.
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
    """Draw a list for every share and seed, and write it with the published lists into ``splits``.

    A drawn list is ``splits/train_<percent>pct_seed<seed>.txt`` and names patches of ``splits/train.txt``. For the seed
    that the converter used, the name lacks ``_seed<seed>``, so that its ``train_1pct.txt`` keeps its name and content.
    All lists are checked before the first is written. ``dataset.json`` stays as it is.

    Args:
        data_root: Folder of a converted data set.
        fractions: Shares of the training patches, in (0, 1]. With one seed, a smaller share is a subset of a larger.
        seeds: Seeds of the draws, at least 0.
        published: Keys of :data:`.published_lists.PUBLISHED_LISTS`.
        overwrite: Replace lists whose content differs.

    Returns:
        All lists that were asked for, the unchanged ones included.

    Raises:
        InputError: An argument is out of range, the data has no labels, or a list exists with other content or cannot
            be written.
    """
    if not fractions and not published:
        raise InputError('nothing to do; give --fractions such as 0.01, or --published with the name of a list')
    description = read_labelled_description(data_root)
    folder = Path(data_root) / 'splits'
    pixels_of = {patch['name']: patch['pixels'][:-1] for patch in description['patches']}
    train = _training_patches(folder / 'train.txt', pixels_of)
    counts = np.array([pixels_of[name] for name in train])
    present = np.any(counts, axis=0)
    chosen: dict[str, tuple[list[str], list[int]]] = {}
    for seed in dict.fromkeys(seeds):
        for fraction in sorted(set(fractions)):
            subset = label_subset(train, counts, fraction, seed)
            name = f'train_{fraction * 100:g}pct' + ('' if seed == description.get('seed') else f'_seed{seed}')
            if name in chosen:
                raise InputError(f'two fractions near {fraction} both give {name}.txt; leave one of them out')
            chosen[name] = subset.names, subset.missing_classes
    for name in dict.fromkeys(published):
        names = published_patches(name, description)
        expected = present if PUBLISHED_LISTS[name] == 'train' else np.ones_like(present)
        seen = np.any([pixels_of[patch] for patch in names], axis=0)
        chosen[name] = names, np.flatnonzero(expected & ~seen).tolist()
    nowhere = [description['classes'][i] for i in np.flatnonzero(~present)]
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
            'correct the list or convert the data again'
        )
    check_once(names, path)
    return names


def _state(path: Path, names: list[str], overwrite: bool) -> str:
    if not path.exists():
        return 'new'
    if path.is_file() and path.read_bytes() == ''.join(f'{name}\n' for name in names).encode():
        return 'unchanged'
    if not overwrite:
        raise InputError(
            f'{path}: exists with other content, and no list was written; remove it, or replace it with tools/split.py '
            '--overwrite'
        )
    return 'replaced'


class LabelSubset(NamedTuple):
    """The share of patches whose labels are used.

    Args:
        names: Chosen names, in the order of the candidates.
        missing_classes: Indices of the classes that occur in the candidates but not in the subset.
    """

    names: list[str]
    missing_classes: list[int]


def label_subset(names: Sequence[str], class_counts: np.ndarray, fraction: float, seed: int) -> LabelSubset:
    """Draw the labelled share of the training patches, with every class in it if possible.

    A seed fixes one order of all patches, and a fraction takes the first of them. With one seed, a smaller fraction is
    therefore a subset of a larger one. The order begins with a greedy cover of the classes: each patch is the one that
    adds most classes. The other patches follow at random, those without a labelled pixel last. The cover is short, so
    the rest is still a fair draw.

    Args:
        names: n candidate names, all different. Their order does not affect the choice.
        class_counts: Number of labelled pixels per patch and class.
        fraction: Share of the candidates, in (0, 1]; ``round(fraction * n)`` patches, at least 1, are chosen.
        seed: Seed of the draw, at least 0.

    Shape:
        - class_counts: (n, C)

    Raises:
        InputError: An argument is out of range.
    """
    counts = np.asarray(class_counts)
    if not 0 < fraction <= 1:
        raise InputError(f'label fraction is {fraction}; give a share above 0 and at most 1, such as 0.01 for 1 %')
    check_seed(seed)
    if not len(names):
        raise InputError('no patches to draw labels from; give at least one training image')
    if counts.ndim != 2 or len(counts) != len(names):
        raise InputError(f'class_counts has shape {counts.shape}; give one row for each of the {len(names)} names')
    if len(set(names)) != len(names):
        raise InputError('a name occurs twice among the candidates; give every patch a name of its own')
    by_name = np.array(sorted(range(len(names)), key=names.__getitem__))
    order = by_name[_order(counts[by_name], np.random.default_rng(seed))]
    chosen = np.sort(order[: max(1, round(fraction * len(names)))])
    missing = (counts.sum(axis=0) > 0) & (counts[chosen].sum(axis=0) == 0)
    return LabelSubset([names[i] for i in chosen], np.flatnonzero(missing).tolist())


def _order(counts: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the order of the patches: a greedy cover of the classes, the rest at random, those without labels last."""
    permutation = rng.permutation(len(counts))
    counts = counts[permutation]
    present = counts > 0
    typical = present & (counts >= [np.median(column[column > 0]) if column.any() else 0 for column in counts.T])
    open_classes = present.any(axis=0)
    head: list[int] = []
    while open_classes.any():
        # Of patches that add equally many classes, prefer one with typical areas of them to one with a few pixels.
        gain = present[:, open_classes].sum(axis=1) * (counts.shape[1] + 1) + typical[:, open_classes].sum(axis=1)
        head.append(int(gain.argmax()))
        open_classes &= ~present[head[-1]]
    rest = np.setdiff1d(np.arange(len(counts)), head)
    labelled = present[rest].any(axis=1)
    order: np.ndarray = permutation[np.concatenate([np.array(head, int), rest[labelled], rest[~labelled]])]
    return order
