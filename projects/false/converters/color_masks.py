"""Any images with colour masks: two folders, matched by file stem."""

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from projects.false.common.errors import Faults, InputError, some
from projects.false.common.files import check_apart
from projects.false.imagery.archives import SourceFile
from projects.false.imagery.image_files import KNOWN_SUFFIXES, list_imagery
from projects.false.imagery.palettes import PALETTES, Palette
from projects.false.patch_folder.description import Conversion
from projects.false.patch_folder.lists import nfc

from .cutting import LOSSY_SUFFIXES, Pair
from .image_splits import assign_splits, list_arguments
from .labelled import SplitPairs, convert_labelled
from .options import CutOptions, band_names


def convert_color_masks(
    images: str | Path,
    masks: str | Path,
    out: str | Path,
    palette: Palette,
    options: CutOptions,
    val_list: str | Path | None = None,
    test_list: str | Path | None = None,
    bands: int = 3,
    allow_unlabelled: bool = False,
) -> Conversion:
    """Cut images and their colour masks into patches with index masks.

    Images that no list names are for training. See :func:`.labelled.convert_labelled` for the output.

    Args:
        images: Folder of 8-bit images that GDAL reads; searched with all folders below it.
        masks: Folder of masks with the same stems: colours in any form; index masks if the palette says so.
        out: Output folder.
        palette: Classes and their colours.
        options: Options for cutting.
        val_list: Text file with stems or glob patterns of the validation images.
        test_list: The same for the test images.
        bands: Number of bands of every image, red, green and blue first.
        allow_unlabelled: Cut images without a mask, too, for pretraining only.

    Raises:
        InputError: The input is unusable, or ``out`` was made with other arguments.

    Example:
        >>> from projects.false.imagery.palettes import PALETTES
        >>> options = CutOptions(patch_size=128)
        >>> convert_color_masks('in/images', 'in/masks', 'data/mine', PALETTES['mbrsc'], options)  # doctest: +SKIP
    """
    check_apart(out, images, masks)
    if Path(images).resolve() == Path(masks).resolve():
        raise InputError(f'{images}: images and masks are the same folder; give one folder for each')

    def inputs(stems: Iterable[str]) -> dict[str, object]:
        return {
            'images': str(Path(images).resolve()),
            'masks': str(Path(masks).resolve()),
            **list_arguments(val_list, test_list, stems),
            **_unnamed_rules(palette),
            **({'allow_unlabelled': True} if allow_unlabelled else {}),
        }

    def find() -> SplitPairs:
        pairs, left_out = find_pairs(images, masks, palette.tolerance > 0, allow_unlabelled)
        split_of = assign_splits([pair.stem for pair in pairs], val_list, test_list)
        tested = [pair.image.path for pair in pairs if pair.mask is None and split_of[pair.stem] != 'train']
        if tested:
            raise InputError(
                f'{masks}: no mask for {len(tested)} images of the lists of val and test ({some(tested)}); add masks '
                'with the stems of their images, or take these images out of the lists'
            )
        return SplitPairs(pairs, split_of, {}, left_out)

    sources = images, masks, val_list, test_list
    return convert_labelled('color_masks', sources, inputs, find, out, palette, band_names(bands), options)


def find_pairs(
    images: str | Path, masks: str | Path, lossy: bool = False, allow_unlabelled: bool = False
) -> tuple[list[Pair], dict[str, str]]:
    """Match images and masks by file stem, in both folders and all below them.

    Args:
        images: Folder of images.
        masks: Folder with a mask for every image.
        lossy: Masks may be JPEGs.
        allow_unlabelled: Images may lack a mask, but not all of them.

    Returns:
        Pairs sorted by stem; and the reason for every unused file, such as a mask without an image.

    Raises:
        InputError: A folder is missing or empty, a stem is not unique, or a mask is missing or lossy.
    """
    (images_of, left_out), (masks_of, other) = _by_stem(Path(images)), _by_stem(Path(masks))
    image_of = _only(images_of, 'images')
    missing = [path for stem, path in image_of.items() if stem not in masks_of]
    if len(missing) == len(image_of):
        raise InputError(
            f'{masks}: none of the {len(image_of)} images has a mask; a mask has the stem of its image, such as '
            f'{missing[0].stem!r}, and there are masks such as {next(iter(masks_of))!r}'
        )
    if missing and not allow_unlabelled:
        raise InputError(
            f'{masks}: no mask for {len(missing)} of {len(image_of)} images ({some(missing)}); add masks with the '
            'stems of their images, move these images away, or give --allow-unlabelled to cut them for pretraining only'
        )
    mask_of = _only({stem: masks_of[stem] for stem in image_of if stem in masks_of}, 'masks')
    jpegs = [path for path in mask_of.values() if path.suffix.lower() in LOSSY_SUFFIXES]
    if jpegs and not lossy:
        raise InputError(
            f'{jpegs[0]}: a JPEG cannot hold exact class colors ({len(jpegs)} such masks); give PNG or TIFF, or for '
            'masks of colors say how far these may have moved: --nearest-color 60'
        )
    unused = {str(path): 'no image' for stem, paths in masks_of.items() if stem not in image_of for path in paths}
    pairs = [
        Pair(path.stem, SourceFile(path), SourceFile(mask_of[stem]) if stem in mask_of else None)
        for stem, path in image_of.items()
    ]
    return pairs, left_out | other | unused


def _unnamed_rules(palette: Palette) -> dict[str, object]:
    """Return how a palette reads masks, as far as its name and colours do not tell."""
    known = PALETTES.get(palette.name)
    usual = (known.binarise, known.index_masks) if known else (None, False)
    rules: dict[str, object] = {'binarise': palette.binarise, 'index_masks': palette.index_masks}
    return {name: rule for (name, rule), as_known in zip(rules.items(), usual, strict=True) if rule != as_known}


def _by_stem(folder: Path) -> tuple[dict[str, list[Path]], dict[str, str]]:
    if not folder.is_dir():
        raise InputError(f'{folder}: no such folder; check the path')
    found = defaultdict(list)
    listing = list_imagery(folder)
    for name in listing.names:
        path = folder / name
        found[nfc(path.stem)].append(path)
    if not found:
        raise InputError(f'{folder}: no image in it or below it ({KNOWN_SUFFIXES}); check the path')
    return dict(sorted(found.items())), {str(folder / name): why for name, why in listing.left_out.items()}


def _only(paths_of: dict[str, list[Path]], kind: str) -> dict[str, Path]:
    """Return the single path of every stem: patches are named by stem, so stems must be unique."""
    faults = Faults(kind)
    for stem, paths in paths_of.items():
        with faults.noted():
            if len(paths) > 1:
                raise InputError(
                    f'{paths[0]}: {paths[1]} has the same stem {stem!r}; rename one, patches are named by stem'
                )
    faults.check()
    return {stem: paths[0] for stem, paths in paths_of.items()}
