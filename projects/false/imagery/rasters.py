"""Find, open and read georeferenced rasters of any type, each by the driver that its suffix names."""

import os
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
import rasterio
from rasterio.crs import CRS
from rasterio.enums import ColorInterp, MaskFlags
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.io import DatasetReader
from rasterio.windows import Window

from projects.false.common.errors import InputError

from .image_files import DRIVERS, KNOWN_SUFFIXES, check_complete, files_behind, list_imagery
from .images import band_order, decode

_LOOK = 128  # side in pixels of the window at which a band of transparency is looked at


class Raster(NamedTuple):
    """A raster file that was inspected: its path, size, type and bands.

    Args:
        stem: Its name, unique among the inspected files; patches and maps are named by it.
        path: The file.
        height, width: Size in pixels.
        dtype: Type of its pixels.
        band_count: Number of bands.
        names: Descriptions of the bands, '' where there is none.
        place: Reference system and transform, see :func:`georeference`.
        alpha: Its last band is transparency, see :func:`has_transparency`.
    """

    stem: str
    path: Path
    height: int
    width: int
    dtype: str
    band_count: int
    names: tuple[str, ...]
    place: dict[str, object]
    alpha: bool = False


def expect_no_place() -> None:
    """Silence rasterio's warning of an image without a place on Earth, as most patches are.

    For good, since restoring the filters is not safe in threads.
    """
    warnings.filterwarnings('ignore', category=NotGeoreferencedWarning)


def open_handle(path: Path) -> DatasetReader:
    """Open a raster for a caller that keeps it open and handles errors of later reads itself.

    Args:
        path: The file; a virtual raster may be made of image files on this machine only.

    Raises:
        InputError: The suffix is not accepted, the file is not what its suffix says, or its pixels are complex numbers.
    """
    expect_no_place()
    driver = DRIVERS.get(path.suffix.lower())
    if driver is None:
        raise InputError(f'{path}: is none of {KNOWN_SUFFIXES}; convert it with gdal_translate or leave it out')
    files_behind(path)
    try:
        raster = rasterio.open(path, driver=driver)
    except RasterioError as error:
        raise _damaged(path, error) from error
    if any('complex' in kind for kind in raster.dtypes):
        raster.close()
        raise InputError(
            f'{path}: pixels are complex numbers ({raster.dtypes[0]}), no intensities; write their magnitude: '
            f'gdal_translate DERIVED_SUBDATASET:AMPLITUDE:{path.name} {path.stem}_amplitude.tif'
        )
    return raster


@contextmanager
def open_raster(path: Path) -> Iterator[DatasetReader]:
    """Open a raster inside the block, and turn the errors of opening and reading it into InputErrors with its path.

    Args:
        path: The file.

    Raises:
        InputError: As for :func:`open_handle`, or the file is damaged where it is read.
    """
    # Little cache (MB): every block is read once, and 5 % of the memory of a large machine is a lot.
    with rasterio.Env(GDAL_CACHEMAX=256), open_handle(path) as raster:
        try:
            yield raster
        except RasterioError as error:
            raise _damaged(path, error) from error


def _damaged(path: Path, error: RasterioError) -> InputError:
    cause = error.__cause__ or error
    return InputError(
        f'{path}: cannot be read as a raster ({cause}); it is damaged or not what its suffix says: copy it again'
    )


class FoundRasters(NamedTuple):
    """The images that were found.

    Args:
        paths: The images, each once.
        left_out: Every other file in the folders -> why it is not taken.
    """

    paths: list[Path]
    left_out: dict[str, str]


def find_rasters(sources: Sequence[str | Path], mosaics: bool = False) -> FoundRasters:
    """List the given files and the images of the given folders and all below them.

    Args:
        sources: Files and folders.
        mosaics: Take virtual mosaics of folders whose images are there as well; see :func:`.image_files.list_imagery`.

    Raises:
        InputError: Something is missing or of another kind, or there is no image at all.
    """
    found: list[Path] = []
    left_out: dict[str, str] = {}
    for source in map(Path, sources):
        if source.is_dir():
            listing = list_imagery(source, mosaics=mosaics)
            if not listing.names:
                raise InputError(f'{source}: no image in it or below it ({KNOWN_SUFFIXES}); check the path')
            found += [source / name for name in listing.names]
            left_out |= {str(source / name): why for name, why in listing.left_out.items()}
        elif not source.is_file():
            raise InputError(f'{source}: no such file or folder; check the path')
        elif source.suffix.lower() not in DRIVERS:
            raise InputError(
                f'{source}: is none of {KNOWN_SUFFIXES}; convert it first: gdal_translate {source.name} '
                f'{source.stem}.tif'
            )
        else:
            found.append(source)
    return FoundRasters(list({path.resolve(): path for path in found}.values()), left_out)


def inspect_rasters(paths: Sequence[Path]) -> list[Raster]:
    """Open every raster and read its properties.

    Where a stem occurs twice, the name of the folder is put in front of it; stems that are still equal are an error.

    Raises:
        InputError: A file cannot be opened, or two have the same name.
    """
    stems = [path.stem for path in paths]
    stems = [p.stem if stems.count(p.stem) == 1 else f'{p.resolve().parent.name}_{p.stem}' for p in paths]
    rasters: dict[str, Raster] = {}
    for stem, path in zip(stems, paths, strict=True):
        if stem in rasters:
            raise InputError(
                f'{path}: {rasters[stem].path} has the same name, and patches are named after it; rename one'
            )
        check_complete(path)
        with open_raster(path) as raster:
            if len(set(raster.dtypes)) > 1:
                raise InputError(f'{path}: bands of different types {raster.dtypes}; give all bands one type')
            rasters[stem] = Raster(
                stem,
                path,
                raster.height,
                raster.width,
                band_type(raster),
                band_count(raster),
                ('red', 'green', 'blue') if has_colors(raster) else tuple(name or '' for name in raster.descriptions),
                georeference(raster),
                has_transparency(raster),
            )
    return list(rasters.values())


def choose_bands(rasters: Sequence[Raster], bands: Sequence[int] | None) -> tuple[int, ...]:
    """Choose the bands to take, counted from 1: those given, or all of images with three, not counting alpha.

    Args:
        rasters: All images.
        bands: Numbers of bands, all different; None for images with three bands.

    Raises:
        InputError: A raster lacks a given band, or no bands were given and a raster has other than three.
    """
    for raster in rasters:
        count = raster.band_count
        if bands is None and count - raster.alpha != 3:
            every = ' '.join(str(band) for band in range(1, count + 1))
            some = 'which three to take, --bands 1 2 3, or ' if count > 3 else ''
            raise InputError(f'{raster.path}: has {count} band(s), 3 are usual; say {some}all: --bands {every}')
        wrong = [band for band in bands or () if not 1 <= band <= count]
        if wrong:
            raise InputError(
                f'{raster.path}: has no band {wrong[0]}; give --bands from 1 to {count}, or leave the file out'
            )
    if bands is not None and (not bands or len(set(bands)) != len(bands)):
        raise InputError(f'--bands {" ".join(map(str, bands))}: give every band once')
    return tuple(bands) if bands else (1, 2, 3)


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
    finite in one of the bands is invalid as well.

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
    if has_masks(raster, bands):
        valid = (raster.read_masks(list(bands), window=window, out_shape=size) > 0).any(axis=0)
    if np.issubdtype(pixels.dtype, np.floating):
        valid &= np.isfinite(pixels).all(axis=-1)
    if 1 in bands and np.issubdtype(pixels.dtype, np.unsignedinteger) and _is_inverted(raster):
        white = np.array((1 << bits(raster)) - 1, pixels.dtype)
        pixels = np.where(np.array(bands) == 1, white - pixels, pixels)
    return pixels, valid


def has_colors(raster: DatasetReader) -> bool:
    """Return True if the values of an open raster are indices of a colour table, whose colours are its bands."""
    return _color_table(raster) is not None


def band_count(raster: DatasetReader) -> int:
    """Return the number of bands of an open raster, three where a colour table stands for them."""
    return 3 if has_colors(raster) else int(raster.count)


def band_type(raster: DatasetReader) -> str:
    """Return the type of the pixels of an open raster, that of its colours where it has a colour table."""
    return 'uint8' if has_colors(raster) else str(raster.dtypes[0])


def bits(raster: DatasetReader) -> int:
    """Return the number of bits that a value of an open raster uses, such as 12 of 16."""
    return int(raster.tags(1, ns='IMAGE_STRUCTURE').get('NBITS', 8 * np.dtype(raster.dtypes[0]).itemsize))


def _is_inverted(raster: DatasetReader) -> bool:
    """Return True if 0 is white, which a TIFF may say and GDAL leaves to its readers."""
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
    """Return True if the last band of an open raster is transparency, by its label and by its values in the middle.

    GDAL labels any fourth band as transparency, near infrared as well; most pixels of real transparency are at one end.
    """
    if raster not in _transparent:
        found = False
        if raster.count > 1 and raster.colorinterp[-1] == ColorInterp.alpha and not has_colors(raster):
            height, width = min(_LOOK, raster.height), min(_LOOK, raster.width)
            middle = Window((raster.width - width) // 2, (raster.height - height) // 2, width, height)
            values = raster.read(raster.count, window=middle)
            found = bool(((values == 0) | (values == values.max())).mean() >= 0.5)
        _transparent[raster] = found
    return _transparent[raster]


_last = threading.local()  # the JPEG that this thread has decoded


def _read_picture(
    raster: DatasetReader, bands: Sequence[int], window: Window, shape: tuple[int, int] | None
) -> np.ndarray | None:
    """Read a window of an 8-bit JPEG; None for other rasters.

    A JPEG is decoded as a whole by the decoder that patches are read with: decoders differ in how they upsample the
    colours, by up to 30 grey levels.
    """
    if raster.driver != 'JPEG' or raster.dtypes[0] != 'uint8':
        return None
    state = os.stat(raster.name)
    key = raster.name, state.st_mtime_ns, state.st_size
    if getattr(_last, 'key', None) != key:
        picture = decode(Path(raster.name).read_bytes())
        if picture is None or picture.shape != (raster.height, raster.width, raster.count):
            return None
        _last.key, _last.picture = key, picture
    order = band_order(raster.count)
    row, column = int(window.row_off), int(window.col_off)
    part = _last.picture[row : row + int(window.height), column : column + int(window.width)]
    if shape is not None:  # the nearest pixels, as GDAL takes them
        rows, columns = (((np.arange(n) + 0.5) * m / n).astype(int) for n, m in zip(shape, part.shape, strict=False))
        part = part[rows][:, columns]
    picked: np.ndarray = part[..., [order[band - 1] for band in bands]]
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
    if has_colors(raster):
        return True
    flags = [raster.mask_flag_enums[band - 1] for band in bands]
    if any(MaskFlags.alpha in flag for flag in flags):
        return raster.count not in bands and has_transparency(raster)
    return not all(MaskFlags.all_valid in flag for flag in flags)


def _system(crs: CRS) -> str:
    code = crs.to_epsg()
    return f'EPSG:{code}' if code else str(crs.to_wkt())


def georeference(raster: DatasetReader) -> dict[str, object]:
    """Return where an open raster lies, as far as it says: system, transform, control points, coefficients.

    Returns:
        ``crs``: such as 'EPSG:32633', or WKT where the system has no such number. ``transform``: ``[a, b, c, d, e, f]``
        with x = a column + b row + c and y = d column + e row + f for the upper left corner of a pixel. ``gcps``: for
        an image without transform, ground control points ``[row, column, x, y, z]`` in ``gcps_crs``. ``rpcs``: rational
        polynomial coefficients, by the names of RPC00B.
    """
    found: dict[str, object] = {}
    if raster.crs:
        found['crs'] = _system(raster.crs)
    points, system = raster.gcps
    if not raster.transform.is_identity:
        found['transform'] = list(raster.transform)[:6]
    elif points:
        found['gcps'] = [[point.row, point.col, point.x, point.y, point.z or 0.0] for point in points]
        if system:
            found['gcps_crs'] = _system(system)
    if raster.rpcs:
        found['rpcs'] = raster.rpcs.to_dict()
    return found


def patch_transform(transform: list[float], row: int, col: int) -> list[float]:
    """Return the transform of a patch.

    Args:
        transform: That of its source, ``[a, b, c, d, e, f]`` as in :func:`georeference`.
        row, col: First pixel of the patch in the source.

    Example:
        >>> patch_transform([0.5, 0, 100.0, 0, -0.5, 200.0], row=10, col=20)
        [0.5, 0, 110.0, 0, -0.5, 195.0]
    """
    a, b, c, d, e, f = transform
    return [a, b, a * col + b * row + c, d, e, d * col + e * row + f]
