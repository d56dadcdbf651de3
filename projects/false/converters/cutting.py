"""Cut a raster of any size into patches, a strip of it in memory at a time."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import numpy as np

from projects.false.datasets.band_statistics import count_levels
from projects.false.datasets.patch_files import write_patch
from projects.false.datasets.raster_pixels import read_window
from projects.false.imagery.levels import to_8_bit
from projects.false.imagery.rasters import Raster, open_raster
from projects.false.imagery.windows import grid

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
    order = [2, 1, 0, *range(3, len(bands))] if len(bands) >= 3 else list(range(len(bands)))
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
