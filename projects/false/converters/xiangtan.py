"""Xiangtan: GF-2 images and index masks. The data set is not public, so folders and classes can be named."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from projects.false.common.errors import InputError
from projects.false.imagery.archives import SourceFile, by_name, list_files
from projects.false.imagery.palettes import PALETTES
from projects.false.patch_folder.description import Conversion, finished_before
from projects.false.patch_folder.lists import read_list

from .cutting import LOSSY_SUFFIXES, PAIR_SUFFIXES, Pair
from .image_splits import matching, split_images
from .labelled import convert_pairs
from .options import CutOptions, band_names

IMAGES, TEST_IMAGES = 106, 21


def convert_xiangtan(
    source: str | Path,
    out: str | Path,
    options: CutOptions,
    bands: int = 3,
    classes: Sequence[str] | None = None,
    image_folder: str = 'images',
    mask_folder: str = 'masks',
    test_list: str | Path | None = None,
    val_list: str | Path | None = None,
    exclude: Sequence[str] = (),
) -> Conversion:
    """Cut the images into patches; 85 of 106 to train and 21 to test, drawn by seed where no list is given.

    Args:
        source: Folder or zip with a folder of images and one of index masks of the same stems, at any depth.
        out: Output folder.
        options: How to cut.
        bands: Number of bands of the images.
        classes: Names of the classes 0, 1, ...; None takes the nine that the paper names, in its order.
        image_folder, mask_folder: Names of the two folders.
        test_list, val_list: Text files with image stems or patterns.
        exclude: Image stems or patterns to leave out.

    Raises:
        InputError: An image has no mask, a file is unusable, or an argument is out of range.
    """
    palette, names = PALETTES['xiangtan'], band_names(bands)
    if classes:
        palette = palette.with_classes(classes)
    arguments = {
        'converter': 'xiangtan',
        'source': str(Path(source).resolve()),
        'folders': [image_folder, mask_folder],
        'test_list': read_list(test_list) if test_list else None,
        'val_list': read_list(val_list) if val_list else None,
        'exclude': sorted(exclude),
        **options.arguments(palette, names),
    }
    earlier = finished_before(out, arguments, options.overwrite)
    if earlier:
        return earlier
    pairs = xiangtan_pairs(source, image_folder, mask_folder, exclude)
    stems = [pair.stem for pair in pairs]
    split_of, lists = split_images(stems, val_list, test_list, TEST_IMAGES, IMAGES, options.seed)
    return convert_pairs(pairs, split_of, out, palette, names, options, arguments, lists)


def xiangtan_pairs(
    source: str | Path, image_folder: str = 'images', mask_folder: str = 'masks', exclude: Sequence[str] = ()
) -> list[Pair]:
    """Match images and masks by stem.

    Raises:
        InputError: A folder is missing or empty, a stem occurs twice, or an image has no mask.
    """
    files = list_files(source)
    images, masks = (_by_stem(source, files, folder) for folder in (image_folder, mask_folder))
    left_out = matching(list(images), exclude, '--exclude') if exclude else set()
    missing = [stem for stem in images if stem not in masks and stem not in left_out]
    if missing:
        named = ', '.join(missing[:5]) + (', ...' if len(missing) > 5 else '')
        raise InputError(
            f'{source}: no mask in {mask_folder} for {len(missing)} of {len(images)} images: {named}; add it, or go on '
            f'without: --exclude {" ".join(missing[:5])}'
        )
    pairs = [Pair(stem, file, masks[stem]) for stem, file in images.items() if stem not in left_out]
    lossy = [str(pair.mask) for pair in pairs if Path(pair.mask.name).suffix.lower() in LOSSY_SUFFIXES]
    if lossy:
        raise InputError(f'{lossy[0]}: a JPEG cannot hold exact classes ({len(lossy)} such masks); give PNG or TIFF')
    return pairs


def _by_stem(source: str | Path, files: Iterable[SourceFile], folder: str) -> dict[str, SourceFile]:
    inside = [
        file
        for file in files
        if folder in file.folders_below(source) and Path(file.name).suffix.lower() in PAIR_SUFFIXES
    ]
    if not inside:
        raise InputError(
            f'{source}: no folder {folder!r} with images in it; give the folder above, or the names of the two folders '
            'with --image-folder and --mask-folder'
        )
    found: dict[str, SourceFile] = {}
    for file in by_name(inside).values():
        other = found.setdefault(file.stem, file)
        if other is not file:
            raise InputError(f'{other}: {file} has the same stem {file.stem!r}; rename one, stems name the patches')
    return found
