"""Cut images with colour masks into patches with index masks, splits and a description."""

from collections.abc import Sequence
from pathlib import Path

from projects.false.common.files import check_apart
from projects.false.datasets.pairs import find_pairs
from projects.false.datasets.palette import Palette
from projects.false.datasets.splits import read_list
from projects.false.errors import InputError
from projects.false.patch_folder.description import Conversion, finished_before

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
