"""Read pixels of an open raster and which of them are data: the one rule for nodata, masks, transparency and tables."""

import os
import threading
from collections.abc import Sequence
from pathlib import Path
from weakref import WeakKeyDictionary

import cv2
import numpy as np
from rasterio.enums import ColorInterp, MaskFlags
from rasterio.io import DatasetReader
from rasterio.windows import Window

from .image_files import decode

_LOOK = 128  # side in pixels of the window at which a band of transparency is looked at


def read_window(
    raster: DatasetReader,
    bands: Sequence[int],
    row: int,
    column: int,
    height: int,
    width: int,
    shape: tuple[int, int] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Read the pixels of a window, and a mask of the valid ones.

    A pixel is invalid if the file says so: by its nodata value in every band, by its mask, or by its alpha band. An
    alpha band among ``bands`` does not count, because near infrared is often labelled as alpha. A pixel that is not
    finite in one of the bands is invalid as well. Values of fewer than 8 bits are spread over 0 to 255, as OpenCV and
    image viewers do.

    Args:
        raster: An open raster.
        bands: Numbers of bands, counted from 1.
        row, column: First pixel of the window.
        height, width: Size of the window in pixels.
        shape: Height and width of the result, for a lower resolution; None keeps the resolution.

    Shape:
        - result: (H, W, bands) of the raster's type, and (H, W), bool
    """
    window = Window(column, row, width, height)
    size = None if shape is None else (len(bands), *shape)
    colors = _color_table(raster)
    if colors is not None:
        return _read_colors(raster, bands, window, shape, colors)
    pixels = _read_picture(raster, bands, window, shape)
    if pixels is None:
        pixels = np.moveaxis(raster.read(list(bands), window=window, out_shape=size), 0, -1)
    valid = np.ones(pixels.shape[:2], bool)
    if _shows_transparency(raster, bands):
        valid = raster.read(raster.count, window=window, out_shape=shape) > 0
    if _has_own_masks(raster, bands):
        valid &= (raster.read_masks(list(bands), window=window, out_shape=size) > 0).any(axis=0)
    if np.issubdtype(pixels.dtype, np.floating):
        valid &= np.isfinite(pixels).all(axis=-1)
    if np.issubdtype(pixels.dtype, np.unsignedinteger):
        white = (1 << bits(raster)) - 1
        if 1 in bands and _is_inverted(raster):
            pixels = np.where(np.array(bands) == 1, pixels.dtype.type(white) - pixels, pixels)
        if white < 255:  # fewer than 8 bits
            pixels = np.rint(np.minimum(pixels, white) * np.float32(255 / white)).astype(pixels.dtype)
    return pixels, valid


def has_colors(raster: DatasetReader) -> bool:
    """Return True if the values of an open raster are indices of a colour table, whose colours are its bands."""
    return _color_table(raster) is not None


def band_count(raster: DatasetReader) -> int:
    """Return the number of bands of an open raster, three where a colour table stands for them."""
    return 3 if has_colors(raster) else int(raster.count)


def band_type(raster: DatasetReader) -> str:
    """Return the pixel type of an open raster, or the type of its colours if it has a colour table."""
    return 'uint8' if has_colors(raster) else str(raster.dtypes[0])


def bits(raster: DatasetReader) -> int:
    """Return the number of bits that a value of an open raster uses, such as 12 of 16."""
    return int(raster.tags(1, ns='IMAGE_STRUCTURE').get('NBITS', 8 * np.dtype(raster.dtypes[0]).itemsize))


def _is_inverted(raster: DatasetReader) -> bool:
    """Return True if 0 is white, which a TIFF may declare and GDAL does not convert."""
    return raster.driver == 'GTiff' and bool(raster.tags(ns='IMAGE_STRUCTURE').get('MINISWHITE') == 'YES')


_tables: WeakKeyDictionary[DatasetReader, np.ndarray | None] = WeakKeyDictionary()


def _color_table(raster: DatasetReader) -> np.ndarray | None:
    """Return red, green, blue and opacity of every index, (n, 4), uint8; None if there is no colour table."""
    if raster not in _tables:
        kinds, table = raster.colorinterp, None
        if kinds[0] == ColorInterp.palette and all(kind == ColorInterp.alpha for kind in kinds[1:]):
            found = raster.colormap(1)
            table = np.zeros((max(found) + 1, 4), np.uint8)
            table[list(found)] = list(found.values())
            if (table == np.stack([*[np.arange(len(table))] * 3, np.full(len(table), 255)], axis=1)).all():
                table = None  # every index is its grey level, as in a grey BMP
        _tables[raster] = table
    return _tables[raster]


def _read_colors(
    raster: DatasetReader, bands: Sequence[int], window: Window, shape: tuple[int, int] | None, table: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Read a window of indices, and return their colours; indices beyond the table are invalid."""
    indices = raster.read(1, window=window, out_shape=shape).astype(np.int64)
    valid = raster.read_masks(1, window=window, out_shape=shape) > 0
    known = (indices >= 0) & (indices < len(table))
    found = table[np.where(known, indices, 0)]
    return found[..., [band - 1 for band in bands]], valid & known & (found[..., 3] > 0)


_transparent: WeakKeyDictionary[DatasetReader, bool] = WeakKeyDictionary()


def has_transparency(raster: DatasetReader) -> bool:
    """Return True if the last band of an open raster is transparency, by its label and by its values.

    GDAL labels any fourth band as transparency, even near infrared. In real transparency, most values other than 0 mean
    opaque: 255, or the largest value of the type. The middle of the image decides. If it is 0, as near infrared is over
    water, the whole image at a lower resolution decides. A band of only 0 is none: it would hide everything.
    """
    if raster not in _transparent:
        found = False
        if raster.count > 1 and raster.colorinterp[-1] == ColorInterp.alpha and not has_colors(raster):
            height, width = min(_LOOK, raster.height), min(_LOOK, raster.width)
            middle = Window((raster.width - width) // 2, (raster.height - height) // 2, width, height)
            values = raster.read(raster.count, window=middle)
            if not values.any():
                size = min(4 * _LOOK, raster.height), min(4 * _LOOK, raster.width)
                values = raster.read(raster.count, out_shape=size)
            shown = values[values > 0]
            opaque = (1, 255) if np.issubdtype(values.dtype, np.floating) else (255, (1 << bits(raster)) - 1)
            found = bool(shown.size and np.isin(shown, opaque).mean() >= 0.5)
        _transparent[raster] = found
    return _transparent[raster]


_last = threading.local()  # the JPEG that this thread has decoded


def _read_picture(
    raster: DatasetReader, bands: Sequence[int], window: Window, shape: tuple[int, int] | None
) -> np.ndarray | None:
    """Read a window of an 8-bit JPEG; None for other rasters.

    A JPEG is decoded as a whole by the decoder that patches are read with: decoders differ in how they upsample the
    colours, by up to 30 grey levels. Every thread keeps its last JPEG in memory, height x width x bands bytes (JPEG
    allows 65,500 pixels a side); larger imagery is better kept as a TIFF.
    """
    if raster.driver != 'JPEG' or raster.dtypes[0] != 'uint8':
        return None
    state = os.stat(raster.name)
    key = raster.name, state.st_mtime_ns, state.st_size
    if getattr(_last, 'key', None) != key:
        try:
            picture = decode(Path(raster.name).read_bytes())
        except cv2.error:  # more pixels than OpenCV takes
            return None
        if picture is None or picture.shape != (raster.height, raster.width, raster.count):
            return None
        _last.key, _last.picture = key, picture[..., ::-1]  # red first
    row, column = int(window.row_off), int(window.col_off)
    part = _last.picture[row : row + int(window.height), column : column + int(window.width)]
    if shape is not None:  # the nearest pixels, as GDAL takes them
        rows, columns = (((np.arange(n) + 0.5) * m / n).astype(int) for n, m in zip(shape, part.shape, strict=False))
        part = part[rows][:, columns]
    picked: np.ndarray = part[..., [band - 1 for band in bands]]
    return picked


def read_values(raster: DatasetReader, colors: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Read a mask: all bands but transparency, and where the file declares neither nodata nor transparency.

    Args:
        raster: An open raster.
        colors: Return what the values show: the colours of a table, and 0 as black. False returns them as they are.

    Shape:
        - result: (H, W, bands) of the raster's type, and (H, W), bool
    """
    if colors and has_colors(raster):
        return read_window(raster, (1, 2, 3), 0, 0, raster.height, raster.width)
    kinds = enumerate(raster.colorinterp, start=1)
    bands = [band for band, kind in kinds if kind != ColorInterp.alpha or band == 1]
    if colors:
        return read_window(raster, bands, 0, 0, raster.height, raster.width)
    values = raster.read(bands)
    valid = (raster.read_masks(bands) > 0).any(axis=0)
    if np.issubdtype(values.dtype, np.floating):
        valid &= np.isfinite(values).all(axis=0)
    table = _color_table(raster)
    if table is not None:
        known = (values[0] >= 0) & (values[0] < len(table))
        valid &= ~known | (table[np.where(known, values[0], 0).astype(np.int64), 3] > 0)
    return np.moveaxis(values, 0, -1), valid


def has_masks(raster: DatasetReader, bands: Sequence[int]) -> bool:
    """Return True if the file has a nodata value, a mask, or transparency outside the given bands."""
    return has_colors(raster) or _shows_transparency(raster, bands) or _has_own_masks(raster, bands)


def _shows_transparency(raster: DatasetReader, bands: Sequence[int]) -> bool:
    """Return True if transparency outside the given bands hides pixels; GDAL knows it with up to four bands only."""
    return raster.count not in bands and has_transparency(raster)


def _has_own_masks(raster: DatasetReader, bands: Sequence[int]) -> bool:
    """Return True if the file has a nodata value or a mask, apart from transparency."""
    flags = [raster.mask_flag_enums[band - 1] for band in bands]
    return not all(MaskFlags.all_valid in flag or MaskFlags.alpha in flag for flag in flags)
