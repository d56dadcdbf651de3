"""Xiangtan: GF-2 images and index masks. The data set is not public, so folder and class names are options."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from projects.false.common.errors import InputError, some
from projects.false.common.files import check_apart
from projects.false.imagery.archives import SourceFile, by_name, list_files
from projects.false.imagery.image_files import IMAGE_SUFFIXES, is_left_out
from projects.false.imagery.palettes import PALETTES
from projects.false.patch_folder.description import Conversion
from projects.false.patch_folder.lists import nfc

from .cutting import LOSSY_SUFFIXES, Pair
from .image_splits import list_arguments, match_images, split_images
from .labelled import SplitPairs, convert_labelled
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
    """Cut the images into patches, 85 of 106 images for training and 21 for testing.

    The test images are drawn by seed unless ``test_list`` names them. See :func:`.labelled.convert_labelled` for the
    output.

    Args:
        source: Folder or zip with a folder of images and one of index masks with the same stems, at any depth.
        out: Output folder.
        options: Options for cutting.
        bands: Number of bands of the images.
        classes: Names of the classes 0, 1, ...; None takes the nine names of the paper, in its order.
        image_folder, mask_folder: Names of the two folders.
        test_list, val_list: Text files with image stems or glob patterns.
        exclude: Image stems or glob patterns to leave out.

    Raises:
        InputError: An image has no mask, a file is unusable, or an argument is out of range.
    """
    palette = PALETTES['xiangtan']
    if classes:
        palette = palette.with_classes(tuple(classes))

    check_apart(out, source)

    def inputs(stems: Iterable[str]) -> dict[str, object]:
        return {
            'source': str(Path(source).resolve()),
            'folders': [image_folder, mask_folder],
            **list_arguments(val_list, test_list, stems),
            'exclude': sorted(exclude),
        }

    def find() -> SplitPairs:
        pairs, left_out = xiangtan_pairs(source, image_folder, mask_folder, exclude)
        stems = [pair.stem for pair in pairs]
        splits = split_images(stems, val_list, test_list, TEST_IMAGES, IMAGES, options.seed)
        return SplitPairs(pairs, *splits, left_out)

    return convert_labelled(
        'xiangtan', (source, test_list, val_list), inputs, find, out, palette, band_names(bands), options
    )


def xiangtan_pairs(
    source: str | Path, image_folder: str = 'images', mask_folder: str = 'masks', exclude: Sequence[str] = ()
) -> tuple[list[Pair], dict[str, str]]:
    """Match images and masks by stem.

    Returns:
        The pairs; and the reason for every file of the two folders that is neither used nor excluded.

    Raises:
        InputError: A folder is missing or empty, a stem is not unique, or a mask is missing or lossy.
    """
    files = list_files(source)
    images, masks = (_by_stem(source, files, folder) for folder in (image_folder, mask_folder))
    excluded = match_images(list(images), exclude, '--exclude')
    missing = [stem for stem in images if stem not in masks and stem not in excluded]
    if missing:
        raise InputError(
            f'{source}: no mask in {mask_folder} for {len(missing)} of {len(images)} images: {some(missing)}; '
            f'add masks, or leave these images out: --exclude {some(missing, " ")}'
        )
    pairs = [Pair(file.stem, file, masks[stem]) for stem, file in images.items() if stem not in excluded]
    lossy = [str(pair.mask) for pair in pairs if pair.mask and Path(pair.mask.name).suffix.lower() in LOSSY_SUFFIXES]
    if lossy:
        raise InputError(f'{lossy[0]}: a JPEG cannot hold exact classes ({len(lossy)} such masks); give PNG or TIFF')
    left_out = {str(file): 'no image' for stem, file in masks.items() if stem not in images}
    for file in files:
        if {image_folder, mask_folder} & set(file.folders_below(source)) and is_left_out(file.name):
            left_out[str(file)] = 'no imagery that is read here'
    return pairs, left_out


def _by_stem(source: str | Path, files: Iterable[SourceFile], folder: str) -> dict[str, SourceFile]:
    inside = [
        file
        for file in files
        if folder in file.folders_below(source) and Path(file.name).suffix.lower() in IMAGE_SUFFIXES
    ]
    if not inside:
        raise InputError(
            f'{source}: no folder {folder!r} with images in it; give the folder above, or name the two folders with '
            '--image-folder and --mask-folder'
        )
    found: dict[str, SourceFile] = {}
    for file in by_name(inside).values():
        other = found.setdefault(nfc(file.stem), file)
        if other is not file:
            raise InputError(f'{other}: {file} has the same stem {file.stem!r}; rename one, patches are named by stem')
    return found
