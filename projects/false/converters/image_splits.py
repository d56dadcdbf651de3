"""Decide which image trains, validates or tests; draw the split where nobody published a list."""

from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np

from projects.false.common.errors import InputError
from projects.false.patch_folder.lists import read_list


def assign_splits(stems: list[str], val_list: str | Path | None, test_list: str | Path | None) -> dict[str, str]:
    """Give every image a split: what no list names is for training.

    Args:
        stems: Image stems.
        val_list: Text file with stems or glob patterns (``tile_1*``), one a line; None for no validation split.
        test_list: The same for the test split.

    Returns:
        Stem -> ``'train'``, ``'val'`` or ``'test'``.

    Raises:
        InputError: A pattern matches nothing, an image is in both lists, or nothing is left for training.
    """
    split_of: dict[str, str] = {}
    for split, path in (('val', val_list), ('test', test_list)):
        for stem in matching(stems, read_list(path), path) if path else ():
            if split_of.setdefault(stem, split) != split:
                raise InputError(f'{path}: image {stem!r} is in the val list too; keep it in one of the two')
    if len(split_of) == len(stems):
        raise InputError(f'{test_list or val_list}: no image is left for training; leave some images out of the lists')
    return {stem: split_of.get(stem, 'train') for stem in stems}


def matching(stems: Sequence[str], patterns: Sequence[str], where: str | Path) -> set[str]:
    """Stems that names or glob patterns stand for.

    Raises:
        InputError: A pattern stands for none.
    """
    chosen: set[str] = set()
    for pattern in patterns:
        matches = [stem for stem in stems if stem == pattern] or [s for s in stems if fnmatchcase(s, pattern)]
        if not matches:
            raise InputError(
                f'{where}: {pattern!r} matches no image, such as {stems[0]!r}; '
                'write file names without folder and suffix, or patterns with * and ?'
            )
        chosen.update(matches)
    return chosen


def draw_test_images(stems: Sequence[str], count: int, of: int, seed: int) -> list[str]:
    """Draw the images to test on, where nobody published a list.

    The draw depends on the stems and the seed alone: they are sorted and then permuted by NumPy's default generator.

    Args:
        stems: All images.
        count: Images to draw when there are ``of``; of any other number the same share, at least one, not all.
        of: Number of images of the whole data set.
        seed: Seed, at least 0.

    Returns:
        The drawn stems, sorted.

    Raises:
        InputError: Less than two images, or a seed below 0.
    """
    if seed < 0:
        raise InputError(f'seed is {seed}; give 0 or more')
    if len(stems) < 2:
        raise InputError(f'{len(stems)} image(s): one to train on and one to test on are the least; give more images')
    wanted = min(max(round(len(stems) * count / of), 1), len(stems) - 1)
    order = np.random.default_rng(seed).permutation(len(stems))
    return sorted(sorted(stems)[i] for i in order[:wanted])


def split_images(
    stems: Sequence[str],
    val_list: str | Path | None,
    test_list: str | Path | None,
    test_images: int,
    images: int,
    seed: int,
) -> tuple[dict[str, str], dict[str, list[str]]]:
    """Give every image a split, by the user's list or by a draw that says that it is one.

    Args:
        stems: All images.
        val_list: Text file with images to validate on.
        test_list: Text file with images to test on; None draws them.
        test_images: How many the paper tests on.
        images: Of how many.
        seed: Seed of the draw.

    Returns:
        Stem -> split, and the lists to write beside the data: name -> lines.

    Raises:
        InputError: As of :func:`assign_splits` and :func:`draw_test_images`.
    """
    stems = sorted(stems)
    split_of = assign_splits(stems, val_list, test_list)
    if test_list:
        return split_of, {}
    drawn = draw_test_images(stems, test_images, images, seed)
    both = [stem for stem in drawn if split_of[stem] == 'val']
    if both:
        raise InputError(
            f'{val_list}: image {both[0]!r} is drawn for testing with seed {seed}; take it off, or give --test-list'
        )
    head = (
        f'# {len(drawn)} of {len(stems)} images to test on, drawn by this project with seed {seed}:',
        '# the paper tests on as many, but nobody published which. To repeat: --test-list THIS_FILE',
    )
    return {**split_of, **dict.fromkeys(drawn, 'test')}, {
        f'test_images_drawn_here_seed{seed}.txt': [*head, *drawn],
    }
