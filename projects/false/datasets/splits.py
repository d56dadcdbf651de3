"""Split lists: which patches are for training, and which few of them have labels."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from projects.false.atomic_write import write_text
from projects.false.errors import InputError


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


def read_list(path: str | Path) -> list[str]:
    """Read a list of one name a line; empty lines and what follows a ``#`` at the start or after a space are left out.

    Raises:
        InputError: The file is missing, not text, or holds no name.
    """
    try:
        lines = Path(path).read_text(encoding='utf-8-sig').splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f'{path}: list not readable ({error}); give a text file with one name a line') from error
    names = [name for line in lines if (name := (' ' + line).split(' #')[0].strip())]
    if not names:
        raise InputError(f'{path}: list holds no name; write one name a line, or leave the option out')
    return names


def write_list(path: str | Path, names: Iterable[str]) -> None:
    """Write one name a line; readers see the old file or the new one, never half of it."""
    write_text(path, ''.join(f'{name}\n' for name in names))
