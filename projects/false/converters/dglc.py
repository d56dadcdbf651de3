"""DGLC, the labelled part of DeepGlobe Land Cover, as downloaded: ID_sat.jpg and ID_mask.png in one folder."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from projects.false.common.errors import InputError, some
from projects.false.imagery.archives import SourceFile, by_name, list_files
from projects.false.imagery.image_files import IMAGE_SUFFIXES
from projects.false.imagery.palettes import PALETTES
from projects.false.patch_folder.description import Conversion
from projects.false.patch_folder.lists import nfc

from .cutting import Pair
from .image_splits import list_arguments, split_images
from .labelled import SplitPairs, convert_labelled
from .options import RGB, CutOptions

IMAGES, TEST_IMAGES = 803, 73
IMAGE_END, MASK_END = '_sat.jpg', '_mask.png'


def convert_dglc(
    source: str | Path,
    out: str | Path,
    options: CutOptions,
    test_list: str | Path | None = None,
    val_list: str | Path | None = None,
    exclude: Sequence[str] = (),
) -> Conversion:
    """Cut the labelled images into patches, 730 images for training and 73 for testing.

    The paper gives these numbers but no list. Without ``test_list`` this project draws 73 images by seed and writes
    them to ``test_images_drawn_here_seed<seed>.txt`` in the output, so that others can test on the same images. See
    :func:`.labelled.convert_labelled` for the rest of the output.

    Args:
        source: Folder or zip of the download; images without labels (its valid and test folders) are ignored.
        out: Output folder.
        options: Options for cutting; 512 pixels give 25 patches per image.
        test_list: Text file with the IDs to test on.
        val_list: Text file with the IDs to validate on.
        exclude: IDs to leave out.

    Raises:
        InputError: A pair is incomplete, an image is unusable, or an argument is out of range.
    """

    def inputs(stems: Iterable[str]) -> dict[str, object]:
        return {
            'source': str(Path(source).resolve()),
            **list_arguments(val_list, test_list, stems),
            'exclude': sorted(exclude),
        }

    def find() -> SplitPairs:
        pairs = dglc_pairs(source, exclude)
        stems = [pair.stem for pair in pairs]
        return SplitPairs(pairs, *split_images(stems, val_list, test_list, TEST_IMAGES, IMAGES, options.seed))

    return convert_labelled('dglc', (source, test_list, val_list), inputs, find, out, PALETTES['dglc'], RGB, options)


def dglc_pairs(source: str | Path, exclude: Sequence[str] = ()) -> list[Pair]:
    """Find all pairs but those of ``exclude``, sorted by stem.

    File names may be in upper or lower case, and the files in another format than in the download (``ID_sat.tif``).

    Raises:
        InputError: There is no mask, an image has no mask beside other masks, a mask has no image, or ``exclude`` names
            an unknown image.
    """
    exclude = [nfc(stem) for stem in exclude]
    files = list_files(source)
    masks = _by_id(files, MASK_END)
    if not masks:
        raise InputError(
            f'{source}: no ID{MASK_END} in it; give the download of DeepGlobe Land Cover, zipped or unpacked, with its '
            f'folder train (ID{IMAGE_END}, ID{MASK_END})'
        )
    images = _by_id(files, IMAGE_END)
    unknown = [stem for stem in exclude if stem not in images and stem not in masks]
    if unknown:
        raise InputError(f'--exclude {unknown[0]}: no such image; give an ID such as {next(iter(masks))}')
    # Only the train folder has labels: an image without a mask is a gap there, and normal elsewhere.
    labelled = {Path(str(file)).parent for file in masks.values()}
    beside_masks = {stem for stem, file in images.items() if Path(str(file)).parent in labelled}
    without_mask = sorted(beside_masks - set(masks) - set(exclude))
    without_image = sorted(set(masks) - set(images) - set(exclude))
    if without_mask or without_image:
        gaps = [f'{stem}{MASK_END}' for stem in without_mask] + [f'{stem}{IMAGE_END}' for stem in without_image]
        raise InputError(
            f'{source}: {len(gaps)} file(s) missing: {some(gaps)}; copy or download again, or leave these images '
            f'out: --exclude {some([*without_mask, *without_image], " ")}'
        )
    return [Pair(stem, images[stem], masks[stem]) for stem in sorted(masks) if stem not in exclude]


def _by_id(files: Sequence[SourceFile], end: str) -> dict[str, SourceFile]:
    last = Path(end).stem  # _sat or _mask; copies in another image format count, too
    named = (
        file
        for file in files
        if (name := Path(file.name)).stem.lower().endswith(last) and name.suffix.lower() in IMAGE_SUFFIXES
    )
    return by_name(named, lambda file: nfc(Path(file.name).stem[: -len(last)]))


def count_notes(description: dict[str, Any]) -> list[str]:
    """Return a note if the number of images differs from the published one."""
    count = len(description['sources'])
    return [f'{count} labelled images; the published data set has {IMAGES}'] if count != IMAGES else []
