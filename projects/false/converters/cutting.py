"""Cut an image and its mask, or a raster without labels, into patches."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import numpy as np

from projects.false.common.errors import InputError
from projects.false.imagery.archives import SourceFile
from projects.false.imagery.images import band_order, read_image, read_mask, write_patch
from projects.false.imagery.levels import count_levels, to_8_bit
from projects.false.imagery.palettes import IGNORE_INDEX, Palette
from projects.false.imagery.rasters import Raster, georeference, open_raster, read_window
from projects.false.imagery.windows import grid

LOSSY_SUFFIXES = ('.jpg', '.jpeg')
PAIR_SUFFIXES = ('.png', *LOSSY_SUFFIXES, '.tif', '.tiff')


class Pair(NamedTuple):
    """An image and its mask, and the stem by which both are known."""

    stem: str
    image: SourceFile
    mask: SourceFile


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
    return Cut(patches, levels[band_order(bands)], {**source, 'height': height, 'width': width})


def _place(path: Path) -> dict[str, object]:
    try:
        with open_raster(path) as raster:
            return georeference(raster)
    except InputError:
        return {}  # the pixels were read by another library, which knows no places


Window = tuple[int, int]
_STRIP_WIDTH = 4096  # pixels read at once beside each other
_TASK_PIXELS = 1 << 25  # a raster is cut by several threads, in pieces of about this many pixels


class CutOut(NamedTuple):
    """What became of some windows of a raster.

    Args:
        patches: One record a patch: name, source, row, col, and the share of its pixels that are nodata.
        levels: How often every grey level occurs in every band of the valid pixels of the patches.
        dropped: Windows with too much nodata.

    Shape:
        - levels: (bands, 256)
    """

    patches: list[dict]
    levels: np.ndarray
    dropped: int


def pieces(raster: Raster, size: int, stride: int) -> Iterator[list[Window]]:
    """The windows of a raster in pieces of whole rows, to be cut independently.

    JPEG and PNG are one piece: they can only be read from the top.
    """
    windows = grid(raster.height, raster.width, size, stride)
    rows = [list(group) for _, group in groupby(windows, key=lambda window: window[0])]
    many = len(rows) if raster.path.suffix.lower() not in ('.tif', '.tiff') else 1
    count = max(many, _TASK_PIXELS // (stride * raster.width), 1)
    for start in range(0, len(rows), count):
        yield [window for row in rows[start : start + count] for window in row]


def cut_windows(
    raster: Raster,
    windows: Sequence[Window],
    out: Path,
    bands: Sequence[int],
    size: int,
    max_nodata: float,
    ranges: Sequence[Sequence[float]] | None,
) -> CutOut:
    """Write the patches of some windows to ``out/images``.

    Args:
        raster: The image.
        windows: Row and column of the first pixel of each, row by row.
        out: Folder with ``images/``.
        bands: Bands to take, from 1.
        size: Side of the windows in pixels.
        max_nodata: Largest share of nodata pixels of a window that is kept.
        ranges: As of :func:`choose_ranges`.

    Raises:
        InputError: The file is damaged where it is read.
    """
    patches, levels, dropped = [], np.zeros((len(bands), 256), np.int64), 0
    order = band_order(len(bands))
    with open_raster(raster.path) as opened:
        for row, columns in _strips(windows, size):
            first, width = columns[0], columns[-1] + size - columns[0]
            pixels, valid = read_window(opened, bands, row, first, size, width)
            pixels = to_8_bit(pixels, valid, ranges)
            for column in columns:
                part = np.s_[:, column - first : column - first + size]
                nodata = float(1 - valid[part].mean())
                if nodata > max_nodata or nodata == 1:
                    dropped += 1
                    continue
                name = f'{raster.stem}_{row}_{column}'
                write_patch(out / 'images' / name, pixels[part][..., order])
                levels += count_levels(pixels[part], valid[part].astype(np.uint8))
                patches.append(
                    {'name': name, 'source': raster.stem, 'row': row, 'col': column, 'nodata': round(nodata, 6)}
                )
    return CutOut(patches, levels, dropped)


def _strips(windows: Sequence[Window], size: int) -> Iterator[tuple[int, list[int]]]:
    """Neighbouring windows of a row, as many as are read at once."""
    strip_row, columns = windows[0][0], []
    for row, column in windows:
        if columns and (row != strip_row or column + size - columns[0] > max(_STRIP_WIDTH, size)):
            yield strip_row, columns
            columns = []
        strip_row = row
        columns.append(column)
    yield strip_row, columns
