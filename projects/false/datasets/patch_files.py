"""Patches as files: PNG for one or three bands, TIFF for any other number."""

from pathlib import Path

import cv2
import numpy as np
from rasterio.io import MemoryFile


def write_patch(stem: Path, pixels: np.ndarray) -> Path:
    """Write a patch; a PNG's fourth band would be transparency, so four bands become a TIFF.

    Args:
        stem: Path without suffix.
        pixels: The first three bands in the order blue, green, red, as :func:`read_image` gives them.

    Shape:
        - pixels: (H, W), or (H, W, bands) with 3 or any other number of bands; uint8

    Returns:
        The path of the file, in which red comes first.

    Raises:
        OSError: The file system refuses.
    """
    bands = 1 if pixels.ndim == 2 else pixels.shape[2]
    if bands in (1, 3):
        path = stem.with_name(f'{stem.name}.png')
        path.write_bytes(cv2.imencode('.png', np.ascontiguousarray(pixels))[1].tobytes())
        return path
    path = stem.with_name(f'{stem.name}.tif')
    order = [2, 1, 0, *range(3, bands)] if bands > 3 else range(bands)
    height, width = pixels.shape[:2]
    # Bands beyond the third are of unspecified meaning: by default GDAL would mark the fourth as transparency.
    kind = {'photometric': 'RGB', 'alpha': 'NO'} if bands > 3 else {'photometric': 'MINISBLACK', 'alpha': 'NO'}
    profile = {'driver': 'GTiff', 'height': height, 'width': width, 'count': bands, 'dtype': 'uint8'}
    # In memory first: GDAL only logs it when the disk is full.
    with MemoryFile() as memory:
        with memory.open(**profile, **kind, compress='deflate', interleave='pixel') as raster:
            raster.write(np.moveaxis(pixels[..., order], -1, 0))
        path.write_bytes(memory.read())
    return path
