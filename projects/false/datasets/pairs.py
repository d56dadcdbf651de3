"""Which image belongs to which mask, and which image to which split."""

from collections import defaultdict
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

from projects.false.errors import InputError

from .splits import read_list

LOSSY_SUFFIXES = ('.jpg', '.jpeg')
PAIR_SUFFIXES = ('.png', *LOSSY_SUFFIXES, '.tif', '.tiff')


class Pair(NamedTuple):
    """An image and its mask, known by the stem that both file names share."""

    stem: str
    image: Path
    mask: Path


def find_pairs(images: str | Path, masks: str | Path) -> list[Pair]:
    """Match images and masks by file stem, in both folders and all below them.

    Args:
        images: Folder with PNG, JPEG or TIFF images.
        masks: Folder with a mask of the same stem for every image; PNG or TIFF. Surplus masks are left alone.

    Returns:
        Pairs sorted by stem.

    Raises:
        InputError: A folder is missing or empty, a stem is not unique, a mask is missing or lossy.
    """
    image_of = {stem: _only(stem, paths) for stem, paths in _by_stem(Path(images)).items()}
    masks_of = _by_stem(Path(masks))
    missing = [path for stem, path in image_of.items() if stem not in masks_of]
    if missing:
        named = ', '.join(map(str, missing[:5])) + (', ...' if len(missing) > 5 else '')
        raise InputError(
            f'{masks}: no mask for {len(missing)} of {len(image_of)} images ({named}); '
            'a mask has the same file name as its image up to the suffix: add it, or move the image away'
        )
    pairs = [Pair(stem, path, _only(stem, masks_of[stem])) for stem, path in image_of.items()]
    lossy = [pair.mask for pair in pairs if pair.mask.suffix.lower() in LOSSY_SUFFIXES]
    if lossy:
        raise InputError(
            f'{lossy[0]}: a JPEG cannot hold exact class colors ({len(lossy)} such masks); give PNG or TIFF'
        )
    return pairs


def _by_stem(folder: Path) -> dict[str, list[Path]]:
    if not folder.is_dir():
        raise InputError(f'{folder}: no such folder; check the path')
    found = defaultdict(list)
    for path in sorted(folder.rglob('*')):
        if path.suffix.lower() in PAIR_SUFFIXES and path.is_file() and not path.name.startswith('.'):
            found[path.stem].append(path)
    if not found:
        raise InputError(f'{folder}: no image in it or below it ({", ".join(PAIR_SUFFIXES)}); check the path')
    return dict(sorted(found.items()))


def _only(stem: str, paths: list[Path]) -> Path:
    if len(paths) > 1:
        raise InputError(f'{paths[0]}: {paths[1]} has the same stem {stem!r}; rename one, stems name the patches')
    return paths[0]


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
        for stem in _listed(stems, path) if path else ():
            if split_of.setdefault(stem, split) != split:
                raise InputError(f'{path}: image {stem!r} is in the val list too; keep it in one of the two')
    if len(split_of) == len(stems):
        raise InputError(f'{test_list or val_list}: no image is left for training; leave some images out of the lists')
    return {stem: split_of.get(stem, 'train') for stem in stems}


def _listed(stems: list[str], path: str | Path) -> set[str]:
    chosen: set[str] = set()
    for pattern in read_list(path):
        matches = [stem for stem in stems if stem == pattern] or [s for s in stems if fnmatchcase(s, pattern)]
        if not matches:
            raise InputError(
                f'{path}: {pattern!r} matches no image, such as {stems[0]!r}; '
                'write file names without folder and suffix, or patterns with * and ?'
            )
        chosen.update(matches)
    return chosen
