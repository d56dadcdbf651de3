"""The grid of windows over rasters, without those that lie in nodata."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from projects.false.errors import InputError
from projects.false.imagery.windows import grid

from .raster_reader import RasterReader

_POINTS = 8  # of the coarse look, along a side of a window


def find_cells(
    reader: RasterReader, paths: Sequence[Path], size: int, stride: int, max_nodata: float
) -> tuple[np.ndarray, int]:
    """Windows that cover the rasters, and have enough data.

    Nodata is looked for at one point in ``size / 8`` pixels each way, and only where the file can have any.

    Args:
        reader: Reads the rasters.
        paths: The rasters.
        size: Side of the windows in pixels.
        stride: Distance of neighbouring windows in pixels, 1 to ``size``.
        max_nodata: Largest share of a window without data.

    Returns:
        The windows, and how many were left out.

    Shape:
        - windows: (n, 3), int32: number of the raster, first row, first column

    Raises:
        InputError: A raster is unusable or smaller than a window.
    """
    kept, dropped = [], 0
    for number, path in enumerate(paths):
        raster = reader.raster(path)
        try:
            places = np.array(grid(raster.height, raster.width, size, stride), np.int32)
        except InputError as error:
            raise InputError(f'{path}: {error}') from error
        nodata = _nodata_shares(reader, path, places, size)
        enough = nodata <= max_nodata
        dropped += int(np.count_nonzero(~enough))
        kept.append(np.column_stack([np.full(len(places), number, np.int32), places])[enough])
    return np.concatenate(kept), dropped


def _nodata_shares(reader: RasterReader, path: Path, places: np.ndarray, size: int) -> np.ndarray:
    raster = reader.raster(path)
    step = max(1, size // _POINTS)
    valid = reader.coarse_valid(path, (-(-raster.height // step), -(-raster.width // step)))
    if valid is None:
        return np.zeros(len(places))
    # Sums over rectangles from sums over corners.
    total = np.pad((~valid).cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    first = places // step
    last = np.minimum(-(-(places + size) // step), valid.shape)
    missing = total[last[:, 0], last[:, 1]] - total[first[:, 0], last[:, 1]]
    missing += total[first[:, 0], first[:, 1]] - total[last[:, 0], first[:, 1]]
    return missing / np.prod(last - first, axis=1)
