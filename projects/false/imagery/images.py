"""Read and write images, index masks and colour masks, the same from PNG, JPEG and TIFF.

Pixels are uint8 with the first three bands in OpenMMLab's order: blue, green, red. rasterio is imported only where a
TIFF is read or written, since patches in PNG or JPEG must load in environments without it.
"""

from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from projects.false.common.errors import InputError

from .file_checks import check_complete
from .palettes import IGNORE_INDEX, Palette, colors_to_index

IMAGE_SUFFIXES = ('.png', '.jpg', '.jpeg', '.tif', '.tiff', '.bmp')
RASTER_SUFFIXES = ('.tif', '.tiff')
_MASK_FORMATS = ('PNG', 'JPEG', 'BMP')  # Pillow knows many more, and starts other programs to read some of them


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
    """Read an image as uint8, the first three bands as blue, green, red.

    TIFF goes through rasterio: OpenCV takes a fourth band for transparency and silently scales 16-bit values.
    An orientation tag is ignored, since masks have none.

    Args:
        path: PNG, JPEG, BMP or TIFF with 8-bit bands, red, green and blue first.
        bands: How many bands it must have. Bands beyond the third, such as near infrared, keep their order.

    Returns:
        Shape (H, W, bands), uint8.

    Raises:
        InputError: The file is missing or unreadable, or has another number of bands or another type.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f'{path}: no such image; check the data root and the list of patches')
    check_complete(path)
    if path.suffix.lower() in RASTER_SUFFIXES:
        image = _read_raster(path)
    else:
        found = cv2.imread(str(path), cv2.IMREAD_UNCHANGED | cv2.IMREAD_IGNORE_ORIENTATION)
        if found is None or found.size == 0:
            raise InputError(f'{path}: cannot be read as an image; the file is damaged or no image, replace it')
        image = found if found.ndim == 3 else found[..., None]
    _check_bands(path, image, bands)
    return image


def _read_raster(path: Path) -> np.ndarray:
    """Read all bands of a TIFF, blue first: (H, W, bands)."""
    from .rasters import open_raster

    with open_raster(path) as raster:
        pixels = raster.read([band + 1 for band in band_order(raster.count)])
    return np.ascontiguousarray(np.moveaxis(pixels, 0, -1))


def _check_bands(path: Path, image: np.ndarray, bands: int) -> None:
    if image.dtype != np.uint8:
        raise InputError(
            f'{path}: pixels are {image.dtype}, 8 bit (uint8) is needed; scale them with '
            'tools/dataset_converters/rasters.py or gdal_translate -ot Byte -scale LOW HIGH'
        )
    found = image.shape[2]
    if found != bands:
        raise InputError(
            f'{path}: has {found} band(s), {bands} are needed; choose {bands} of them (gdal_translate -b), or set the '
            f'number of bands where this is read: --bands of the converter, LoadPatch(bands={found}) in training'
        )


def read_index_mask(path: str | Path, num_classes: int, ignore_index: int = IGNORE_INDEX) -> np.ndarray:
    """Read an index mask and check that it holds nothing but class indices and the ignore index.

    Args:
        path: Single-band 8-bit PNG or TIFF, classes from 0.
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
    check_complete(path)
    mask = _read_raster(path) if path.suffix.lower() in RASTER_SUFFIXES else _read_indices(path)
    mask = mask.squeeze(-1) if mask.ndim == 3 and mask.shape[2] == 1 else mask
    if mask.ndim != 2 or mask.dtype != np.uint8:
        raise InputError(
            f'{path}: an index mask has one 8-bit band, this has shape {mask.shape} and type {mask.dtype}; '
            'convert colour masks with tools/dataset_converters/color_masks.py'
        )
    check_index_values(mask, path, num_classes, ignore_index)
    return mask


def _read_indices(path: Path) -> np.ndarray:
    # Pillow, since OpenCV turns the indices of a palette PNG into colours.
    try:
        with Image.open(path, formats=_MASK_FORMATS) as image:
            return np.asarray(image)
    except (OSError, SyntaxError) as error:
        raise InputError(f'{path}: cannot be read as a mask ({error}); the file is damaged, replace it') from error


def check_index_values(mask: np.ndarray, path: str | Path, num_classes: int, ignore_index: int = IGNORE_INDEX) -> None:
    """Check that a mask holds nothing but class indices and the ignore index.

    Args:
        mask: Class indices, uint8.
        path: Where the mask came from, for the message.
        num_classes: Classes are 0 to num_classes - 1.
        ignore_index: Value of pixels without a label.

    Raises:
        InputError: The mask holds a value that is no class.
    """
    values = np.flatnonzero(np.bincount(mask.ravel(), minlength=256))
    wrong = [int(value) for value in values if value >= num_classes and value != ignore_index]
    if wrong:
        raise InputError(
            f'{path}: values {wrong} are neither classes (0 to {num_classes - 1}) nor the ignore index {ignore_index}; '
            'check the classes of the config and the palette of the conversion'
        )


def read_mask(path: Path, palette: Palette) -> np.ndarray:
    """Read a mask as class indices.

    Args:
        path: RGB or palette PNG, RGB TIFF; a single-band index mask where the palette says so.
        palette: Classes and colours.

    Shape:
        - result: (H, W), uint8, classes from 0, 255 ignored

    Raises:
        InputError: The file is damaged, or holds something that the palette does not list.
    """
    if palette.index_masks:
        return read_index_mask(path, len(palette.classes), IGNORE_INDEX)
    if path.suffix.lower() in RASTER_SUFFIXES:
        mask = read_image(path)
    else:
        # Unlike read_image this takes grey and transparent PNGs too: only the colours count, and they are checked.
        check_complete(path)
        found = cv2.imread(str(path), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
        if found is None:
            raise InputError(f'{path}: cannot be read as a mask; the file is damaged or no image, replace it')
        mask = found
    return _index_in_strips(mask[..., ::-1], palette, path)


def _index_in_strips(colors: np.ndarray, palette: Palette, path: Path, rows: int = 512) -> np.ndarray:
    """Call :func:`colors_to_index` on some rows at a time: a 6000 x 6000 mask would take half a gigabyte."""
    index = np.empty(colors.shape[:2], np.uint8)
    try:
        for start in range(0, len(colors), rows):
            index[start : start + rows] = colors_to_index(colors[start : start + rows], palette, path)
    except InputError:
        colors_to_index(colors, palette, path)  # once more, so that the message counts the pixels of the whole mask
        raise
    return index


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
    """Encode (H, W, bands) in memory: GDAL only logs it when the disk is full."""
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
