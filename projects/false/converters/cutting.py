"""Cut images into patches: an image with its mask, or a raster without labels."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from rasterio.crs import CRS
from rasterio.transform import Affine

from projects.false.common.errors import InputError
from projects.false.imagery.archives import SourceFile
from projects.false.imagery.image_files import DRIVERS
from projects.false.imagery.images import band_order, write_patch
from projects.false.imagery.levels import count_levels, to_8_bit
from projects.false.imagery.mask_checks import check_sizes
from projects.false.imagery.palettes import IGNORE_INDEX, Palette
from projects.false.imagery.pixels import read_window
from projects.false.imagery.rasters import Raster, georeference, open_raster
from projects.false.imagery.windows import grid
from projects.false.vectors.reference_systems import project

from .shrinking import shrink_image, shrink_mask, shrink_pair

LOSSY_SUFFIXES = ('.jpg', '.jpeg', '.jpe', '.jfif')
_STRIP_WIDTH = 4096  # pixels: neighbouring windows are read together up to this width
_BATCH_PIXELS = 1 << 25  # several threads cut a raster, in batches of rows of about this many pixels

Window = tuple[int, int]  # row and column of the first pixel


class Pair(NamedTuple):
    """An image, its mask, and the stem that identifies both; without a mask, all pixels are ignored."""

    stem: str
    image: SourceFile
    mask: SourceFile | None

    @property
    def files(self) -> list[SourceFile]:
        """The image, and the mask if there is one."""
        return [self.image, self.mask] if self.mask else [self.image]

    def checksums(self) -> list[list[int]]:
        """Return size and CRC-32 of the files."""
        return [list(file.checksum()) for file in self.files]


class Readers(NamedTuple):
    """Functions that read a data set whose files hold other bands or classes than its patches.

    Args:
        image: Takes the path of an image; returns its pixels, blue first, and its valid pixels as
            :func:`read_valid_image` does.
        mask: Takes the path of a mask; returns class indices as :func:`read_mask` does, 255 ignored.

    Shape:
        - image: (H, W, bands), uint8, and (H, W), bool, or None; mask: (H, W), uint8
    """

    image: Callable[[Path], tuple[np.ndarray, np.ndarray | None]]
    mask: Callable[[Path], np.ndarray]


class LabelledPatch(NamedTuple):
    """One patch of a pair.

    Args:
        name: File name without suffix.
        source: Stem of the pair.
        row, col: First pixel in the image.
        pixels: Number of pixels of each class, then of ignored ones.
    """

    name: str
    source: str
    row: int
    col: int
    pixels: list[int]


class CutPair(NamedTuple):
    """The patches of one pair.

    Args:
        patches: In the order of the windows.
        levels: How often each grey level occurs in each band of the valid pixels of the patches, red first.
        source: Files, size and, where known, georeference of the image; how many windows were left out, by reason.
        splits: Name of a patch -> its split, where that is not the split of the image.

    Shape:
        - levels: (bands, 256)
    """

    patches: list[LabelledPatch]
    levels: np.ndarray
    source: dict[str, object]
    splits: Mapping[str, str] = {}


def cut_pair(
    pair: Pair,
    out: Path,
    scratch: Path,
    readers: Readers,
    palette: Palette,
    bands: int,
    size: int,
    stride: int,
    shrink: int = 1,
) -> CutPair:
    """Write the patches of a pair to ``out/images`` and ``out/masks``.

    Pixels of the image without data are 0 in the patches, and ignored in the masks. Windows without a valid pixel are
    left out.

    Args:
        pair: Image and mask.
        out: Folder with ``images/`` and ``masks/``.
        scratch: Folder for files that are unpacked from a zip.
        readers: How to read image and mask.
        palette: Classes and colours.
        bands: Number of bands of the image as read.
        size: Side of the patches in pixels.
        stride: Distance between neighbouring patches in pixels.
        shrink: Side in pixels of the blocks that become one pixel before cutting.

    Raises:
        InputError: Image or mask is unusable, their sizes or their places on the ground differ, or blocks of ``shrink``
            do not fill them.
    """
    with pair.image.local(scratch) as path:
        image, valid = readers.image(path)
        georeference = _georeference(path, shrink)
    if pair.mask is None:
        index: np.ndarray = np.full(image.shape[:2], IGNORE_INDEX, np.uint8)
    else:
        with pair.mask.local(scratch) as path:
            index = readers.mask(path)
            place = _georeference(path, 1)
        check_sizes(index.shape, image.shape, pair.mask, pair.image)
        _check_place(place, georeference, shrink, index.shape, pair)
    try:
        if valid is None:
            image, index = shrink_image(image, shrink), shrink_mask(index, shrink)
        else:
            image, index, valid = shrink_pair(image, index, valid, shrink)
        height, width = index.shape
        windows = grid(height, width, size, stride)
    except InputError as error:
        raise InputError(f'{pair.image}: {error}') from error
    patches, levels, empty = [], np.zeros((bands, 256), np.int64), 0
    for row, column in windows:
        window = np.s_[row : row + size, column : column + size]
        shown = None if valid is None else valid[window]
        if shown is not None and not shown.any():
            empty += 1
            continue
        name = f'{pair.stem}_{row}_{column}'
        write_patch(out / 'images' / name, image[window])
        write_patch(out / 'masks' / name, index[window])
        levels += count_levels(image[window], None if shown is None else shown.astype(np.uint8))
        counts = np.bincount(index[window].ravel(), minlength=IGNORE_INDEX + 1)
        pixels = [*counts[: len(palette.classes)].tolist(), int(counts[IGNORE_INDEX])]
        patches.append(LabelledPatch(name, pair.stem, row, column, pixels))
    mask = str(pair.mask) if pair.mask else None
    files = {'image': str(pair.image), 'mask': mask, 'checksums': pair.checksums()}
    source = {**files, **georeference, 'height': height, 'width': width}
    if empty:
        source['windows_without_data'] = empty
    return CutPair(patches, levels[band_order(bands)], source)


def _georeference(path: Path, shrink: int) -> dict[str, object]:
    """Return the georeference of an image whose pixels are shrunk."""
    try:
        with open_raster(path) as raster:
            found: dict[str, Any] = georeference(raster)
            if 'transform' in found:
                a, b, c, d, e, f = list(raster.transform)[:6]
                found['transform'] = [a * shrink, b * shrink, c, d * shrink, e * shrink, f]
            for point in found.get('gcps', ()):
                point[:2] = point[0] / shrink, point[1] / shrink
            if 'rpcs' in found:
                for axis in ('line', 'samp'):  # these count from the centre of the first pixel
                    found['rpcs'][f'{axis}_off'] = (found['rpcs'][f'{axis}_off'] + 0.5) / shrink - 0.5
                    found['rpcs'][f'{axis}_scale'] /= shrink
            return found
    except InputError:
        return {}  # OpenCV can read some files that GDAL refuses


def _check_place(
    mask: Mapping[str, Any], image: Mapping[str, Any], shrink: int, shape: tuple[int, ...], pair: Pair
) -> None:
    """Refuse a mask of which a corner lies half a pixel or more from that of its image, where both have a transform.

    Args:
        mask, image: Their georeferences, the latter of pixels that are shrunk.
        shrink: Side of the blocks that become one pixel.
        shape: Height and width in pixels.
        pair: Image and mask, for the message.
    """
    if 'transform' not in mask or 'transform' not in image:
        return
    a, b, c, d, e, f = image['transform']
    transform = Affine(a / shrink, b / shrink, c, d / shrink, e / shrink, f)
    if transform.is_degenerate:
        return
    height, width = shape[:2]
    corners = [(column, row) for row in (0, height) for column in (0, width)]
    found = np.array([Affine(*mask['transform']) @ corner for corner in corners])
    if 'crs' in mask and 'crs' in image and mask['crs'] != image['crs']:
        systems = CRS.from_user_input(mask['crs']), CRS.from_user_input(image['crs'])
        if all(system.is_projected or system.is_geographic for system in systems):  # local ones are tied to no ground
            found = project(found, *systems, pair.mask)
    apart = float(np.abs(np.array([~transform @ tuple(point) for point in found]) - corners).max())
    if not apart <= 0.5:
        raise InputError(
            f'{pair.mask}: lies elsewhere on the ground than {pair.image}, by up to {apart:,.1f} pixels; give the mask '
            'of this image, or warp it to the grid of the image'
        )


class RasterPatch(NamedTuple):
    """One patch of a raster.

    Args:
        name: File name without suffix.
        source: Stem of the raster.
        row, col: First pixel in the raster.
        nodata: Share of its pixels that are nodata.
    """

    name: str
    source: str
    row: int
    col: int
    nodata: float


class CutWindows(NamedTuple):
    """The patches of some windows of a raster.

    Args:
        patches: In the order of the windows.
        levels: How often each grey level occurs in each band of the valid pixels of the patches, in the order of
            ``bands``.
        dropped: Number of windows left out for too much nodata.

    Shape:
        - levels: (bands, 256)
    """

    patches: list[RasterPatch]
    levels: np.ndarray
    dropped: int


def batch_rows(raster: Raster, size: int, stride: int) -> Iterator[list[Window]]:
    """Split the windows of a raster into batches of whole rows that can be cut independently.

    Files that are no TIFFs are one batch, since most can only be read from the top.
    """
    windows = grid(raster.height, raster.width, size, stride)
    rows = [list(group) for _, group in groupby(windows, key=lambda window: window[0])]
    least = 1 if DRIVERS[raster.path.suffix.lower()] == 'GTiff' else len(rows)
    count = max(least, _BATCH_PIXELS // (stride * raster.width))
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
) -> CutWindows:
    """Write the patches of some windows to ``out/images``.

    Args:
        raster: The image.
        windows: First pixel of each window, row by row.
        out: Folder with ``images/``.
        bands: Bands to take, counted from 1.
        size: Side of the windows in pixels.
        max_nodata: Largest share of nodata pixels in a patch, 0 to 1. Windows without a valid pixel are always dropped.
        ranges: Values that become 0 and 255, one pair per band; None keeps 8-bit pixels as they are.

    Raises:
        InputError: The file is damaged where it is read.
    """
    patches, levels, dropped = [], np.zeros((len(bands), 256), np.int64), 0
    order = band_order(len(bands))
    with open_raster(raster.path) as opened:
        for row, columns in strips(windows, size):
            first, width = columns[0], columns[-1] + size - columns[0]
            pixels, valid = read_window(opened, bands, row, first, size, width)
            pixels = to_8_bit(pixels, valid, ranges)
            for column in columns:
                part = np.s_[:, column - first : column - first + size]
                nodata = np.count_nonzero(~valid[part]) / (size * size)
                if nodata > max_nodata or nodata == 1:
                    dropped += 1
                    continue
                name = f'{raster.stem}_{row}_{column}'
                write_patch(out / 'images' / name, pixels[part][..., order])
                levels += count_levels(pixels[part], valid[part].astype(np.uint8))
                patches.append(RasterPatch(name, raster.stem, row, column, round(nodata, 6)))
    return CutWindows(patches, levels, dropped)


def strips(windows: Sequence[Window], size: int) -> Iterator[tuple[int, list[int]]]:
    """Group neighbouring windows of one row that are read together: the row, and their columns."""
    for row, group in groupby(windows, key=lambda window: window[0]):
        columns: list[int] = []
        for _, column in group:
            if columns and column + size - columns[0] > max(_STRIP_WIDTH, size):
                yield row, columns
                columns = []
            columns.append(column)
        yield row, columns
