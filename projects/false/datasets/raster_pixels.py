"""Pixels of a window of an open raster, and which of them are nodata."""

from collections.abc import Sequence

import numpy as np
from rasterio.enums import ColorInterp, MaskFlags
from rasterio.io import DatasetReader
from rasterio.windows import Window


def read_window(
    raster: DatasetReader,
    bands: Sequence[int],
    row: int,
    column: int,
    height: int,
    width: int,
    shape: tuple[int, int] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Read pixels and which of them are valid; with ``shape`` at a lower resolution.

    Nodata is what the file says: its nodata value in every band, its mask, or its alpha band unless that is among
    ``bands`` (near infrared is often labelled as alpha); and what is not finite in a chosen band.

    Shape:
        - result: (H, W, bands) of the raster's type, and (H, W), bool
    """
    window = Window(column, row, width, height)
    size = None if shape is None else (len(bands), *shape)
    pixels = raster.read(list(bands), window=window, out_shape=size)
    valid = np.ones(pixels.shape[1:], bool)
    if has_masks(raster, bands):
        valid = (raster.read_masks(list(bands), window=window, out_shape=size) > 0).any(axis=0)
    if np.issubdtype(pixels.dtype, np.floating):
        valid &= np.isfinite(pixels).all(axis=0)
    return np.moveaxis(pixels, 0, -1), valid


def has_masks(raster: DatasetReader, bands: Sequence[int]) -> bool:
    """Whether the file has a nodata value or a mask for some of the bands."""
    flags = [raster.mask_flag_enums[band - 1] for band in bands]
    alpha = {band for band, kind in enumerate(raster.colorinterp, start=1) if kind == ColorInterp.alpha}
    return not alpha & set(bands) and not all(MaskFlags.all_valid in flag for flag in flags)
