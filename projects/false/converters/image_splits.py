"""Assign images to training, validation and test: by the user's lists, or by a draw where no list is published."""

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np

from projects.false.common.errors import InputError, check_seed
from projects.false.patch_folder.lists import nfc, read_list


def assign_splits(stems: Sequence[str], val_list: str | Path | None, test_list: str | Path | None) -> dict[str, str]:
    """Assign every image to a split; images that no list names are for training.

    Args:
        stems: Image stems.
        val_list: Text file with stems or glob patterns (``tile_1*``), one per line; None for no validation split.
        test_list: The same for the test split.

    Returns:
        Stem -> ``'train'``, ``'val'`` or ``'test'``.

    Raises:
        InputError: A pattern matches nothing, an image is in both lists, or nothing is left for training.
    """
    split_of: dict[str, str] = {}
    for split, path in (('val', val_list), ('test', test_list)):
        for stem in match_images(stems, read_list(path, set(stems)), path) if path else ():
            if split_of.setdefault(stem, split) != split:
                raise InputError(f'{path}: image {stem!r} is in the val list too; keep it in one of the two')
    if len(split_of) == len(stems):
        raise InputError(f'{test_list or val_list}: no image is left for training; leave some images out of the lists')
    return {stem: split_of.get(stem, 'train') for stem in stems}


def match_images(stems: Sequence[str], patterns: Sequence[str], where: str | Path) -> set[str]:
    """Return the stems that names or glob patterns match.

    Args:
        stems: Image stems.
        patterns: Stems, or patterns with ``*`` and ``?``.
        where: List or option that holds the patterns, for the message.

    Raises:
        InputError: A pattern matches none.
    """
    chosen: set[str] = set()
    for pattern in patterns:
        matches = [stem for stem in stems if stem == pattern]
        matches = matches or [stem for stem in stems if nfc(stem) == nfc(pattern)]
        for form in (nfc(pattern).replace('[', '[[]'), nfc(pattern)):  # brackets are first taken as part of a name
            matches = matches or [stem for stem in stems if fnmatchcase(nfc(stem), form)]
        if not matches:
            raise InputError(
                f'{where}: {pattern!r} matches no image, such as {stems[0]!r}; '
                'write file names without folder and suffix, or patterns with * and ?'
            )
        chosen.update(matches)
    return chosen


def list_arguments(
    val_list: str | Path | None, test_list: str | Path | None, stems: Iterable[str]
) -> dict[str, list[str] | None]:
    """Return the content of the user's lists, for the arguments that ``dataset.json`` records.

    Args:
        val_list, test_list: As for :func:`assign_splits`.
        stems: Image stems, which distinguish names with ``#`` from comments.

    Raises:
        InputError: A list cannot be read or is empty.
    """
    known = set(stems)
    return {
        'test_list': read_list(test_list, known) if test_list else None,
        'val_list': read_list(val_list, known) if val_list else None,
    }


def draw_test_images(stems: Sequence[str], count: int, of: int, seed: int) -> list[str]:
    """Draw the images to test on.

    The draw depends on the stems and the seed alone: NumPy's default generator permutes the sorted stems.

    Args:
        stems: All images.
        count: Number of images to draw from a complete data set. Another number of images gives the same share, at
            least one image and never all.
        of: Number of images of the complete data set.
        seed: Seed, at least 0.

    Returns:
        The drawn stems, sorted.

    Raises:
        InputError: There are fewer than two images, or the seed is below 0.
    """
    check_seed(seed)
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
    """Assign every image to a split, by the user's test list or by a draw that is written down.

    Args:
        stems: All images.
        val_list: Text file with images to validate on.
        test_list: Text file with images to test on; None draws them.
        test_images: Number of images that the paper tests on.
        images: Number of images of the complete data set.
        seed: Seed of the draw.

    Returns:
        Stem -> split, and the lists to write beside the data: file name -> lines.

    Raises:
        InputError: The lists or the draw are refused, see :func:`assign_splits` and :func:`draw_test_images`; or a
            drawn image is in the validation list.
    """
    stems = sorted(stems)
    split_of = assign_splits(stems, val_list, test_list)
    if test_list:
        return split_of, {}
    drawn = draw_test_images(stems, test_images, images, seed)
    both = [stem for stem in drawn if split_of[stem] == 'val']
    if both:
        raise InputError(
            f'{val_list}: image {both[0]!r} is drawn for testing with seed {seed}; remove it, or give --test-list'
        )
    lines = [
        f'# {len(drawn)} of {len(stems)} images to test on, drawn by this project with seed {seed}:',
        '# the paper tests on as many, but nobody published which. To repeat: --test-list THIS_FILE',
        *drawn,
    ]
    return {**split_of, **dict.fromkeys(drawn, 'test')}, {f'test_images_drawn_here_seed{seed}.txt': lines}
