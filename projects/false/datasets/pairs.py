"""Which image belongs to which mask."""

from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

from projects.false.errors import InputError
from projects.false.imagery.archives import SourceFile

LOSSY_SUFFIXES = ('.jpg', '.jpeg')
PAIR_SUFFIXES = ('.png', *LOSSY_SUFFIXES, '.tif', '.tiff')


class Pair(NamedTuple):
    """An image and its mask, and the stem by which both are known."""

    stem: str
    image: SourceFile
    mask: SourceFile


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
    mask_of = {stem: _only(stem, masks_of[stem]) for stem in image_of}
    lossy = [path for path in mask_of.values() if path.suffix.lower() in LOSSY_SUFFIXES]
    if lossy:
        raise InputError(
            f'{lossy[0]}: a JPEG cannot hold exact class colors ({len(lossy)} such masks); give PNG or TIFF'
        )
    return [Pair(stem, SourceFile(path), SourceFile(mask_of[stem])) for stem, path in image_of.items()]


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
