"""Grey levels: counted, summed up as mean and standard deviation, and scaled from any type to 8 bits."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import cv2
import numpy as np

from projects.false.common.errors import InputError, some

if TYPE_CHECKING:
    from .rasters import Raster

DEFAULT_STRETCH = (2.0, 98.0)  # percentiles that become 0 and 255
_SIXTEEN_BIT = {'uint16': 0, 'int16': 32768}  # added to the values, so that they start at 0
_SIDE, _PER_SIDE = 128, 8  # a raster is sampled in 8 x 8 windows of 128 x 128 pixels


def count_levels(pixels: np.ndarray, valid: np.ndarray | None = None) -> np.ndarray:
    """Count how often every grey level occurs in every band.

    Args:
        pixels: The pixels of a patch.
        valid: Not 0 where a pixel is counted; None counts all pixels.

    Shape:
        - pixels: (H, W, B), uint8, at most 2**24 pixels; valid: (H, W), uint8
        - result: (B, 256), int64
    """
    return np.stack(
        [
            cv2.calcHist([np.ascontiguousarray(pixels[..., band])], [0], valid, [256], [0, 256]).ravel()
            for band in range(pixels.shape[-1])
        ]
    ).astype(np.int64)


def mean_and_std(counts: np.ndarray) -> tuple[list[float], list[float]]:
    """Return mean and standard deviation of every band in grey levels, rounded to four digits.

    Args:
        counts: How often every grey level occurs, from :func:`count_levels`. A band without pixels gives 0 and 0.

    Shape:
        - counts: (B, 256)
    """
    levels = np.arange(256)
    total = np.maximum(counts.sum(axis=1), 1)
    mean = counts @ levels / total
    std = np.sqrt(np.maximum(counts @ levels**2 / total - mean**2, 0))
    return np.round(mean, 4).tolist(), np.round(std, 4).tolist()


def choose_ranges(
    rasters: 'Sequence[Raster]',
    bands: Sequence[int],
    stretch: Sequence[float] | None,
    value_range: Sequence[float] | None,
) -> list[list[float]] | None:
    """Choose the values that become 0 and 255 in every band.

    Each band has one range for all images, so that equal values stay equal from image to image. The percentiles are
    those of a sample of windows.

    Args:
        rasters: All images, at least one; they must be of one type.
        bands: Numbers of the bands that are taken, counted from 1.
        stretch: Two percentiles of the valid pixels, from 0 to 100. None takes 2 and 98 for 16-bit images.
        value_range: The two values themselves, for all bands; it excludes ``stretch``.

    Returns:
        Lowest and highest value of every band; None leaves 8-bit pixels as they are.

    Raises:
        InputError: The types differ, the images are neither of 8 nor of 16 bits and ``value_range`` is None, an
            argument is out of range, or a band has no valid pixels or a single value.
    """
    other = [raster for raster in rasters if raster.dtype != rasters[0].dtype]
    if other:
        named = some(f'{raster.path} ({raster.dtype})' for raster in other)
        raise InputError(
            f'{len(other)} of {len(rasters)} images have other pixels than {rasters[0].path} ({rasters[0].dtype}): '
            f'{named}; convert each type in a separate call'
        )
    if value_range is not None:
        if stretch is not None:
            raise InputError('--stretch and --range exclude each other; give one of them')
        low, high = value_range
        if not (np.isfinite([low, high]).all() and low < high):
            raise InputError(f'--range {low:g} {high:g}: give two finite numbers, the lower one first')
        return [[float(low), float(high)] for _ in bands]
    dtype = rasters[0].dtype
    if dtype not in ('uint8', *_SIXTEEN_BIT):
        raise InputError(
            f'{rasters[0].path}: pixels are {dtype}, which needs a range; give the values that become 0 and 255 as '
            '--range LOW HIGH'
        )
    if dtype == 'uint8' and stretch is None:
        return None
    low, high = DEFAULT_STRETCH if stretch is None else stretch
    if not 0 <= low < high <= 100:
        raise InputError(f'--stretch {low:g} {high:g}: give two percentages from 0 to 100, the lower one first')
    return _percentiles(_count_values(rasters, bands), low, high, _SIXTEEN_BIT.get(dtype, 0), rasters, bands)


def _count_values(rasters: 'Sequence[Raster]', bands: Sequence[int]) -> np.ndarray:
    """Count every 16-bit value in a sample of evenly spread windows; return the counts, (bands, 65536)."""
    from .pixels import read_window  # here, since patches are also read without rasterio installed
    from .rasters import open_raster

    counts = np.zeros((len(bands), 1 << 16), np.int64)
    shift = _SIXTEEN_BIT.get(rasters[0].dtype, 0)
    for raster in rasters:
        height, width = min(_SIDE, raster.height), min(_SIDE, raster.width)
        rows = np.unique(np.linspace(0, raster.height - height, _PER_SIDE).astype(int))
        columns = np.unique(np.linspace(0, raster.width - width, _PER_SIDE).astype(int))
        with open_raster(raster.path) as opened:
            for row in rows.tolist():
                for column in columns.tolist():
                    pixels, valid = read_window(opened, bands, row, column, height, width)
                    for band in range(len(bands)):
                        values = pixels[..., band][valid].astype(np.int64) + shift
                        counts[band] += np.bincount(values, minlength=1 << 16)
    return counts


def _percentiles(
    counts: np.ndarray, low: float, high: float, shift: int, rasters: 'Sequence[Raster]', bands: Sequence[int]
) -> list[list[float]]:
    """Return the values at two percentiles of every band; ``shift`` was added to the values when they were counted."""
    ranges = []
    for band, count in zip(bands, counts, strict=True):
        total = count.sum()
        if not total:
            raise InputError(f'{rasters[0].path}: no valid pixel in the sample; check nodata, or give --range LOW HIGH')
        share = np.cumsum(count)
        first, last = (int(np.searchsorted(share, total * part / 100)) for part in (low, high))
        first, last = max(first, int(np.flatnonzero(count)[0])), min(last, int(np.flatnonzero(count)[-1]))
        if first >= last:
            raise InputError(
                f'{rasters[0].path}: {low:g} to {high:g} % of band {band} are the single value {first - shift}; leave '
                'the band out with --bands, or give --range LOW HIGH'
            )
        ranges.append([float(first - shift), float(last - shift)])
    return ranges


def to_8_bit(pixels: np.ndarray, valid: np.ndarray, ranges: Sequence[Sequence[float]] | None) -> np.ndarray:
    """Scale pixels to 0 to 255, clip values outside the range, and set invalid pixels to 0.

    Args:
        pixels: Pixels of any type.
        valid: True where a pixel is valid.
        ranges: Values of every band that become 0 and 255, see :func:`choose_ranges`; None for 8-bit pixels.

    Shape:
        - pixels: (H, W, bands); valid: (H, W), bool; result: (H, W, bands), uint8
    """
    if ranges is None:
        return np.where(valid[..., None], pixels, np.uint8(0))
    low, high = np.array(ranges, np.float32).T
    with np.errstate(invalid='ignore', over='ignore'):
        scaled = np.rint((pixels.astype(np.float32) - low) * (255 / (high - low)))
    return np.where(valid[..., None], np.nan_to_num(scaled, nan=0).clip(0, 255), 0).astype(np.uint8)
