"""Read and write images, index masks and colour masks, the same from PNG, JPEG and TIFF.

Pixels are uint8 with the first three bands in OpenMMLab's order: blue, green, red. rasterio is imported only where a
file needs GDAL, since patches in PNG or JPEG must load in environments without it.
"""

from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
from PIL import Image

from projects.false.common.errors import InputError

from .image_files import check_complete, decode, has_mask_beside, has_transparency, is_plain
from .levels import to_8_bit
from .mask_checks import check_index_values
from .mask_colors import ColorMoves, colors_to_index
from .palettes import IGNORE_INDEX, Palette


def band_order(bands: int) -> list[int]:
    """Return the order that turns red, green, blue, ... into blue, green, red, ... and back.

    Bands beyond the third stay where they are; fewer than three bands are no colours and keep their order.

    Args:
        bands: Number of bands.

    Example:
        >>> band_order(4)
        [2, 1, 0, 3]
    """
    return [2, 1, 0, *range(3, bands)] if bands >= 3 else list(range(bands))


def read_image(path: str | Path, bands: int = 3) -> np.ndarray:
    """Read an image as uint8, the first three bands as blue, green, red; pixels without data become 0.

    JPEG and PNG of grey or colours are decoded by OpenCV, everything else is read by GDAL: OpenCV takes a fourth band
    for transparency and silently scales 16-bit values. An orientation tag is ignored, since masks have none.

    Args:
        path: An image that GDAL reads, with 8-bit bands, red, green and blue first; a colour table is expanded.
        bands: How many bands it must have. Bands beyond the third, such as near infrared, keep their order. A further
            band of transparency may follow; it says which pixels are without data.

    Returns:
        Shape (H, W, bands), uint8.

    Raises:
        InputError: The file is missing or unreadable, or has another number of bands or another type.
    """
    return read_valid_image(path, bands)[0]


def read_valid_image(path: str | Path, bands: int = 3) -> tuple[np.ndarray, np.ndarray | None]:
    """Read an image as :func:`read_image` does, and tell which of its pixels are data.

    Returns:
        The image, (H, W, bands), uint8; and a mask of the valid pixels, (H, W), bool, or None if all are valid.

    Raises:
        InputError: As for :func:`read_image`.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f'{path}: no such image; check the data root and the list of patches')
    data = check_complete(path)
    if not is_plain(path, data):
        return _read_raster(path, bands)
    try:
        image = decode(data)
    except cv2.error:  # more pixels than OpenCV takes
        return _read_raster(path, bands)
    if image is None:
        raise InputError(f'{path}: cannot be read as an image; the file is damaged or no image, replace it')
    _check_bands(path, image.dtype, image.shape[2], bands)
    return image, None


def _read_raster(path: Path, bands: int) -> tuple[np.ndarray, np.ndarray | None]:
    """Read an image by GDAL, blue first: (H, W, bands), and its valid pixels, None if all are valid."""
    rasters, reading = _gdal(path)
    with rasters.open_raster(path) as raster:
        found = reading.band_count(raster)
        transparent = reading.has_transparency(raster) and found - 1 == bands
        _check_bands(path, np.dtype(reading.band_type(raster)), found - transparent, bands)
        order = [band + 1 for band in band_order(bands)]
        pixels, valid = reading.read_window(raster, order, 0, 0, raster.height, raster.width)
        if transparent and not valid.any():
            _check_bands(path, pixels.dtype, found, bands)  # an image shows something, so its last band is another
    if valid.all():
        return np.ascontiguousarray(pixels), None
    return np.ascontiguousarray(to_8_bit(pixels, valid, None)), valid


def _gdal(path: Path) -> tuple[ModuleType, ModuleType]:
    """Import the two modules that need rasterio."""
    try:
        from . import pixels, rasters
    except ImportError as error:
        raise InputError(
            f'{path}: is no PNG or JPEG of plain colors, so it needs rasterio; install it: pip install rasterio'
        ) from error
    return rasters, pixels


def _check_bands(path: Path, dtype: np.dtype, found: int, bands: int) -> None:
    if dtype != np.uint8:
        raise InputError(
            f'{path}: pixels are {dtype}, 8 bit (uint8) is needed; scale them first: '
            f'gdal_translate -ot Byte -scale LOW HIGH 0 255 {path.name} {path.stem}_8bit.tif'
        )
    if found != bands:
        raise InputError(
            f'{path}: has {found} band(s), {bands} are needed; choose {bands} of them (gdal_translate -b), or set the '
            f'number of bands where this is read: --bands of the converter, LoadPatch(bands={found}) in training'
        )


def read_index_mask(path: str | Path, num_classes: int, ignore_index: int = IGNORE_INDEX) -> np.ndarray:
    """Read an index mask and check that it holds nothing but class indices and the ignore index.

    Args:
        path: A mask with one band of whole numbers, classes from 0; three equal bands count as one. Pixels that the
            file declares as nodata or transparent are ignored.
        num_classes: Classes are 0 to num_classes - 1.
        ignore_index: Value of pixels without a label.

    Returns:
        Shape (H, W), uint8.

    Raises:
        InputError: The file is missing or unreadable, is an RGB picture, or holds a value that is no class.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f'{path}: no such mask; check the data root and the list of patches')
    data = check_complete(path)
    plain = data[:4] == b'\x89PNG' and data[24:26] in (b'\x08\x00', b'\x08\x03') and not has_transparency(data)
    if plain and not has_mask_beside(path) and not _is_bomb(data):
        mask = _read_indices(path)
    else:
        mask = _read_index_raster(path, num_classes, ignore_index)
    check_index_values(mask, path, num_classes, ignore_index)
    return mask


def _is_bomb(png: bytes) -> bool:
    """Return True if a PNG has more pixels than Pillow opens without a warning or an error."""
    limit = Image.MAX_IMAGE_PIXELS
    return limit is not None and int.from_bytes(png[16:20]) * int.from_bytes(png[20:24]) > limit


def _read_indices(path: Path) -> np.ndarray:
    # Pillow, since OpenCV turns the indices of a palette PNG into colours.
    try:
        with Image.open(path, formats=['PNG']) as image:
            return np.asarray(image)
    except (OSError, SyntaxError) as error:
        raise InputError(f'{path}: cannot be read as a mask ({error}); the file is damaged, replace it') from error


def _read_index_raster(path: Path, num_classes: int, ignore_index: int) -> np.ndarray:
    """Read an index mask of any type by GDAL."""
    rasters, reading = _gdal(path)
    with rasters.open_raster(path) as raster:
        values, valid = reading.read_values(raster)
    if (values[..., 1:] != values[..., :1]).any():
        raise InputError(
            f'{path}: an index mask has one band, this has {values.shape[2]} that differ; convert colour masks with '
            'tools/dataset_converters/color_masks.py, by a palette without "index_masks"'
        )
    values = values[..., 0]
    odd = valid & ((values != np.rint(values)) | (values < 0) | (values > 255))
    if odd.any():
        some = np.unique(values[odd])[:4].tolist()
        raise InputError(
            f'{path}: values {some} are neither classes (0 to {num_classes - 1}) nor the ignore index {ignore_index}; '
            f'declare the one that means no label as nodata (rio edit-info --nodata {some[0]:g} {path.name}), or '
            'correct the mask'
        )
    return np.where(valid, values, ignore_index).astype(np.uint8)


def read_mask(path: Path, palette: Palette, moves: ColorMoves | None = None) -> np.ndarray:
    """Read a mask as class indices.

    Args:
        path: RGB, grey or palette image; a single-band index mask where the palette says so. Pixels that the file
            declares as nodata or transparent are ignored.
        palette: Classes and colours.
        moves: Counts the pixels that the tolerance of the palette gives to the nearest colour.

    Shape:
        - result: (H, W), uint8, classes from 0, 255 ignored

    Raises:
        InputError: The file is damaged, or holds something that the palette does not list.
    """
    if palette.index_masks:
        return read_index_mask(path, len(palette.classes), IGNORE_INDEX)
    data = check_complete(path)
    plain = data[:4] == b'\x89PNG' and data[24:26] == b'\x08\x03' and not has_transparency(data)
    if is_plain(path, data) or (plain and not has_mask_beside(path)):
        try:
            found = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
        except cv2.error:  # more pixels than OpenCV takes
            return _index_in_strips(*_read_mask_colors(path), palette, path, moves)
        if found is None:
            raise InputError(f'{path}: cannot be read as a mask; the file is damaged or no image, replace it')
        return _index_in_strips(found[..., ::-1], None, palette, path, moves)
    return _index_in_strips(*_read_mask_colors(path), palette, path, moves)


def _read_mask_colors(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Read red, green and blue of a mask of any type by GDAL, (H, W, 3), uint8, and where it has a label, (H, W)."""
    rasters, reading = _gdal(path)
    with rasters.open_raster(path) as raster:
        values, valid = reading.read_values(raster, colors=True)
    if values.shape[2] not in (1, 3):
        raise InputError(f'{path}: a colour mask has one or three bands, this has {values.shape[2]}; leave one out')
    counted = values[valid]
    if values.dtype == np.uint16 and counted.size and counted.max() > 255 and not (counted % 257).any():
        values = values // 257  # 8 bit, spread over 16
    elif ((counted != np.rint(counted)) | (counted < 0) | (counted > 255)).any():
        raise InputError(
            f'{path}: a colour mask has values from 0 to 255, this has {counted.min():g} to {counted.max():g} '
            f'({values.dtype}); convert it: gdal_translate -ot Byte {path.name} {path.stem}_8bit.tif'
        )
    values = np.where(valid[..., None], values, 0).astype(np.uint8)
    return np.repeat(values, 3, axis=2) if values.shape[2] == 1 else values, valid


def _index_in_strips(
    colors: np.ndarray,
    valid: np.ndarray | None,
    palette: Palette,
    path: Path,
    moves: ColorMoves | None,
    rows: int = 512,
) -> np.ndarray:
    """Call :func:`colors_to_index` on some rows at a time: a 6000 x 6000 mask would take half a gigabyte."""
    index, own = np.empty(colors.shape[:2], np.uint8), ColorMoves()
    if valid is not None and not valid.all():
        # Any colour of the palette stands for a pixel without a label until its index is replaced.
        colors = np.where(valid[..., None], colors, np.array(palette.colors[0], np.uint8))
    try:
        for start in range(0, len(colors), rows):
            index[start : start + rows] = colors_to_index(colors[start : start + rows], palette, path, own)
    except InputError:
        colors_to_index(colors, palette, path)  # once more, so that the message counts the pixels of the whole mask
        raise
    if moves is not None:
        moves.add(own)
    return index if valid is None else np.where(valid, index, np.uint8(IGNORE_INDEX))


def write_patch(stem: Path, pixels: np.ndarray) -> Path:
    """Write a patch as PNG, or as TIFF unless it has one or three bands.

    A PNG's fourth band would be transparency.

    Args:
        stem: Path without suffix.
        pixels: The first three bands in the order blue, green, red, as :func:`read_image` gives them.

    Shape:
        - pixels: (H, W), or (H, W, bands) with any number of bands; uint8

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
    path.write_bytes(_encode_tiff(pixels[..., band_order(bands)]))
    return path


def _encode_tiff(pixels: np.ndarray) -> bytes:
    """Encode (H, W, bands) in memory, since GDAL merely logs a full disk."""
    from rasterio.io import MemoryFile

    from .rasters import expect_no_place

    expect_no_place()

    height, width, bands = pixels.shape
    # Bands beyond the third have no stated meaning: by default GDAL would mark the fourth as transparency.
    kind = {'photometric': 'RGB' if bands > 3 else 'MINISBLACK', 'alpha': 'NO'}
    profile = {'driver': 'GTiff', 'height': height, 'width': width, 'count': bands, 'dtype': 'uint8'}
    with MemoryFile() as memory:
        with memory.open(**profile, **kind, compress='deflate', interleave='pixel') as raster:
            raster.write(np.moveaxis(pixels, -1, 0))
        return bytes(memory.read())
