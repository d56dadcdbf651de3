"""Cut any images with colour masks into patches with index masks, splits and a description."""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from projects.false.common.errors import InputError
from projects.false.common.files import check_apart
from projects.false.imagery.archives import SourceFile
from projects.false.imagery.palettes import Palette
from projects.false.patch_folder.description import Conversion, finished_before
from projects.false.patch_folder.lists import read_list

from .cutting import LOSSY_SUFFIXES, PAIR_SUFFIXES, Pair
from .image_splits import assign_splits
from .labelled import convert_pairs
from .options import CutOptions, band_names


def convert_color_masks(
    images: str | Path,
    masks: str | Path,
    out: str | Path,
    palette: Palette,
    patch_size: int,
    stride: int | None = None,
    val_list: str | Path | None = None,
    test_list: str | Path | None = None,
    label_fractions: Sequence[float] = (0.01,),
    seed: int = 0,
    workers: int | None = None,
    overwrite: bool = False,
    bands: int = 3,
) -> Conversion:
    """Make ``out`` with ``images/``, ``masks/``, ``splits/`` and ``dataset.json``; it appears when it is complete.

    Where it is there already, made with the same arguments, nothing is done.

    Args:
        images: Folder of 8-bit images (PNG, JPEG, TIFF), searched with all folders below it.
        masks: Folder of masks with the same stems: RGB or palette PNG, RGB TIFF; index masks if the palette says so.
        out: Output folder.
        palette: Classes and their colours.
        patch_size, stride, label_fractions, seed, workers, overwrite: As of :class:`CutOptions`.
        val_list: Text file with image stems or glob patterns; these images go to ``splits/val.txt``.
        test_list: The same for ``splits/test.txt``.
        bands: Number of bands of every image, red, green and blue first.

    Returns:
        The content of ``dataset.json``, and whether it was there before.

    Raises:
        InputError: The input is unusable; every file is looked at before the first five problems are named.
    """
    options = CutOptions(patch_size, stride, label_fractions, seed, workers, overwrite)
    names = band_names(bands)
    check_apart(out, images, masks)
    if Path(images).resolve() == Path(masks).resolve():
        raise InputError(f'{images}: images and masks are the same folder; give one folder for each')
    arguments = {
        'converter': 'color_masks',
        'images': str(Path(images).resolve()),
        'masks': str(Path(masks).resolve()),
        'val_list': read_list(val_list) if val_list else None,
        'test_list': read_list(test_list) if test_list else None,
        **options.arguments(palette, names),
    }
    earlier = finished_before(out, arguments, overwrite)
    if earlier:
        return earlier
    pairs = find_pairs(images, masks)
    split_of = assign_splits([pair.stem for pair in pairs], val_list, test_list)
    return convert_pairs(pairs, split_of, out, palette, names, options, arguments)


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
