"""Cut an image and its mask into patches: one pair in memory for every thread."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import rasterio
from rasterio.errors import RasterioError

from projects.false.errors import InputError
from projects.false.imagery.images import read_image
from projects.false.imagery.windows import grid

from .band_statistics import count_levels
from .color_codes import IGNORE_INDEX
from .georeference import georeference
from .mask_reading import read_mask
from .pairs import Pair
from .palette import Palette
from .patch_files import write_patch


class Cut(NamedTuple):
    """What became of a pair.

    Args:
        patches: One record a patch, in the order of the windows: name, stem, row, col and ``pixels`` (of every class,
            then ignored ones).
        levels: How often every grey level occurs in every band of the patches.
        source: Files, size and, where known, place of the image.

    Shape:
        - levels: (bands, 256)
    """

    patches: list[dict]
    levels: np.ndarray
    source: dict[str, object]


def cut_pair(pair: Pair, out: Path, scratch: Path, palette: Palette, bands: int, size: int, stride: int) -> Cut:
    """Write the patches of a pair to ``out/images`` and ``out/masks``.

    Args:
        pair: Image and mask.
        out: Folder with ``images/`` and ``masks/``.
        scratch: Folder to unpack to where a file is in a zip.
        palette: Classes and colours.
        bands: Number of bands of the image.
        size: Side of the patches in pixels.
        stride: Distance of neighbouring patches in pixels.

    Raises:
        InputError: Image or mask is unusable, or they do not fit.
    """
    with pair.image.local(scratch) as path:
        image = read_image(path, bands)
        source = {'image': str(pair.image), 'mask': str(pair.mask), **_place(path)}
    height, width = image.shape[:2]
    try:
        windows = grid(height, width, size, stride)
    except InputError as error:
        raise InputError(f'{pair.image}: {error}') from error
    with pair.mask.local(scratch) as path:
        index = read_mask(path, palette)
    if index.shape != (height, width):
        raise InputError(
            f'{pair.mask}: mask of {index.shape[0]} x {index.shape[1]} pixels (height x width), but its image '
            f'{pair.image} has {height} x {width}; give the mask of this image'
        )
    patches, levels = [], np.zeros((bands, 256), np.int64)
    for row, column in windows:
        name = f'{pair.stem}_{row}_{column}'
        window = np.s_[row : row + size, column : column + size]
        write_patch(out / 'images' / name, image[window])
        write_patch(out / 'masks' / name, index[window])
        levels += count_levels(image[window])
        counts = np.bincount(index[window].ravel(), minlength=IGNORE_INDEX + 1)
        pixels = [*counts[: len(palette.classes)].tolist(), int(counts[IGNORE_INDEX])]
        patches.append({'name': name, 'stem': pair.stem, 'row': row, 'col': column, 'pixels': pixels})
    # In the order of the file, red first.
    levels = levels[[2, 1, 0, *range(3, bands)]] if bands >= 3 else levels
    return Cut(patches, levels, {**source, 'height': height, 'width': width})


def _place(path: Path) -> dict[str, object]:
    try:
        with rasterio.open(path) as raster:
            return georeference(raster)
    except RasterioError:
        return {}  # the pixels were read by another library, which knows no places
