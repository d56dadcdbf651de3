"""DGLC, the labelled part of DeepGlobe Land Cover, as it is downloaded: ID_sat.jpg and ID_mask.png in one folder."""

from collections.abc import Sequence
from pathlib import Path

from projects.false.common.errors import InputError
from projects.false.imagery.archives import by_name, list_files
from projects.false.imagery.palettes import PALETTES
from projects.false.patch_folder.description import Conversion, finished_before
from projects.false.patch_folder.lists import read_list

from .cutting import Pair
from .image_splits import split_images
from .labelled import convert_pairs
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
    """Cut the labelled images into patches; 730 to train, 73 to test.

    The paper gives these numbers and no list. Without ``test_list`` the 73 are drawn by this project, by seed, and
    written to ``test_images_drawn_here_seed<seed>.txt`` in the output, so that others can test on the same.

    Args:
        source: Folder or zip of the download; images without labels (its valid and test folders) are left alone.
        out: Output folder.
        options: How to cut; 512 pixels give 25 patches an image.
        test_list: Text file with the IDs to test on.
        val_list: Text file with the IDs to validate on.
        exclude: IDs to leave out.

    Raises:
        InputError: A pair is not complete, an image is unusable, or an argument is out of range.
    """
    palette = PALETTES['dglc']
    arguments = {
        'converter': 'dglc',
        'source': str(Path(source).resolve()),
        'test_list': read_list(test_list) if test_list else None,
        'val_list': read_list(val_list) if val_list else None,
        'exclude': sorted(exclude),
        **options.arguments(palette, RGB),
    }
    earlier = finished_before(out, arguments, options.overwrite)
    if earlier:
        return earlier
    pairs = dglc_pairs(source, exclude)
    split_of, lists = split_images(
        [pair.stem for pair in pairs], val_list, test_list, TEST_IMAGES, IMAGES, options.seed
    )
    return convert_pairs(pairs, split_of, out, palette, RGB, options, arguments, lists)


def dglc_pairs(source: str | Path, exclude: Sequence[str] = ()) -> list[Pair]:
    """Find the pairs; those of ``exclude`` may be incomplete.

    Raises:
        InputError: None, an image without mask beside other masks, a mask without image, or nothing to exclude.
    """
    files = list_files(source)
    masks = {
        name.removesuffix(MASK_END): file
        for name, file in by_name(file for file in files if file.name.endswith(MASK_END)).items()
    }
    if not masks:
        raise InputError(
            f'{source}: no ID{MASK_END} in it; give the download of DeepGlobe Land Cover, zipped or unpacked, with its '
            f'folder train (ID{IMAGE_END}, ID{MASK_END})'
        )
    # Only the train folder has labels: an image without one is a gap there and nothing elsewhere.
    labelled = {Path(str(file)).parent for file in masks.values()}
    images = by_name(file for file in files if file.name.endswith(IMAGE_END))
    images = {name.removesuffix(IMAGE_END): file for name, file in images.items()}
    beside = {stem for stem, file in images.items() if Path(str(file)).parent in labelled}
    unknown = [stem for stem in exclude if stem not in images and stem not in masks]
    if unknown:
        raise InputError(f'--exclude {unknown[0]}: no such image; give an ID such as {next(iter(masks))}')
    gaps = [f'{stem}{MASK_END}' for stem in sorted(beside - set(masks) - set(exclude))]
    gaps += [f'{stem}{IMAGE_END}' for stem in sorted(set(masks) - set(images) - set(exclude))]
    if gaps:
        named = ', '.join(gaps[:5]) + (', ...' if len(gaps) > 5 else '')
        stems = ' '.join(gap.removesuffix(MASK_END).removesuffix(IMAGE_END) for gap in gaps[:5])
        raise InputError(
            f'{source}: {len(gaps)} file(s) missing: {named}; copy or download again, or go on without them: '
            f'--exclude {stems}'
        )
    pairs = [Pair(stem, images[stem], mask) for stem, mask in masks.items() if stem not in exclude]
    return sorted(pairs, key=lambda pair: pair.stem)


def count_notes(description: dict) -> list[str]:
    """What to tell about another number of images than the published one."""
    count = len(description['sources'])
    return [f'{count} labelled images; the published data set has {IMAGES}'] if count != IMAGES else []
