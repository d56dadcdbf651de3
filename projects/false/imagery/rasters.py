"""Find, open and read georeferenced rasters of any type, each by the driver that its suffix names."""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import rasterio
from rasterio.enums import ColorInterp, MaskFlags
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.io import DatasetReader
from rasterio.windows import Window

from projects.false.common.errors import InputError

from .file_checks import check_complete

# Drivers by suffix: a file that says it is an image must not make GDAL open something else, such as a web address.
DRIVERS = {'.tif': 'GTiff', '.tiff': 'GTiff', '.jpg': 'JPEG', '.jpeg': 'JPEG', '.png': 'PNG'}


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
        alpha: One of the bands is labelled as transparency.
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


def open_handle(path: Path, drivers: Mapping[str, str] = DRIVERS) -> DatasetReader:
    """Open a raster for a caller that keeps it open and handles errors of later reads itself.

    Args:
        path: The file.
        drivers: GDAL's driver for every accepted suffix.

    Raises:
        InputError: The suffix is not accepted, or the file is not what its suffix says.
    """
    expect_no_place()
    driver = drivers.get(path.suffix.lower())
    if driver is None:
        raise InputError(f'{path}: is none of {", ".join(drivers)}; convert it with gdal_translate or leave it out')
    try:
        return rasterio.open(path, driver=driver)
    except RasterioError as error:
        raise _damaged(path, error) from error


@contextmanager
def open_raster(path: Path, drivers: Mapping[str, str] = DRIVERS) -> Iterator[DatasetReader]:
    """Open a raster inside the block, and turn the errors of opening and reading it into InputErrors with its path.

    Args:
        path: The file.
        drivers: GDAL's driver for every accepted suffix.

    Raises:
        InputError: The suffix is not accepted, or the file is not what its suffix says or damaged where it is read.
    """
    # Little cache (MB): every block is read once, and 5 % of the memory of a large machine is a lot.
    with rasterio.Env(GDAL_CACHEMAX=256), open_handle(path, drivers) as raster:
        try:
            yield raster
        except RasterioError as error:
            raise _damaged(path, error) from error


def _damaged(path: Path, error: RasterioError) -> InputError:
    cause = error.__cause__ or error
    return InputError(
        f'{path}: cannot be read as a raster ({cause}); it is damaged or not what its suffix says: copy it again'
    )


def find_rasters(sources: Sequence[str | Path], drivers: Mapping[str, str] = DRIVERS) -> list[Path]:
    """List the given files and the images of the given folders and all below them.

    Raises:
        InputError: Something is missing or of another kind, or there is no image at all.
    """
    found: list[Path] = []
    for source in map(Path, sources):
        if source.is_dir():
            paths = sorted(p for p in source.rglob('*') if p.suffix.lower() in drivers and p.is_file())
            paths = [path for path in paths if not path.name.startswith('.')]
            if not paths:
                raise InputError(f'{source}: no image in it or below it ({", ".join(drivers)}); check the path')
            found += paths
        elif not source.is_file():
            raise InputError(f'{source}: no such file or folder; check the path')
        elif source.suffix.lower() not in drivers:
            raise InputError(
                f'{source}: is none of {", ".join(drivers)}; convert it first: gdal_translate {source.name} '
                f'{source.stem}.tif'
            )
        else:
            found.append(source)
    return list({path.resolve(): path for path in found}.values())


def inspect_rasters(paths: Sequence[Path], drivers: Mapping[str, str] = DRIVERS) -> list[Raster]:
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
        with open_raster(path, drivers) as raster:
            if len(set(raster.dtypes)) > 1:
                raise InputError(f'{path}: bands of different types {raster.dtypes}; give all bands one type')
            names = tuple(name or '' for name in raster.descriptions)
            rasters[stem] = Raster(
                stem,
                path,
                raster.height,
                raster.width,
                raster.dtypes[0],
                raster.count,
                names,
                georeference(raster),
                ColorInterp.alpha in raster.colorinterp,
            )
    return list(rasters.values())


def choose_bands(rasters: Sequence[Raster], bands: Sequence[int] | None) -> tuple[int, ...]:
    """Choose the bands to take, counted from 1: those given, or all of images with three.

    Args:
        rasters: All images.
        bands: Numbers of bands, all different; None for images with three bands.

    Raises:
        InputError: A raster lacks a given band, or no bands were given and a raster has other than three.
    """
    for raster in rasters:
        count = raster.band_count
        if bands is None and count != 3:
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
    pixels = raster.read(list(bands), window=window, out_shape=size)
    valid = np.ones(pixels.shape[1:], bool)
    if has_masks(raster, bands):
        valid = (raster.read_masks(list(bands), window=window, out_shape=size) > 0).any(axis=0)
    if np.issubdtype(pixels.dtype, np.floating):
        valid &= np.isfinite(pixels).all(axis=0)
    return np.moveaxis(pixels, 0, -1), valid


def has_masks(raster: DatasetReader, bands: Sequence[int]) -> bool:
    """Return True if the file has a nodata value or a mask for some of the bands, and no alpha band among them."""
    flags = [raster.mask_flag_enums[band - 1] for band in bands]
    alpha = {band for band, kind in enumerate(raster.colorinterp, start=1) if kind == ColorInterp.alpha}
    return not alpha & set(bands) and not all(MaskFlags.all_valid in flag for flag in flags)


def georeference(raster: DatasetReader) -> dict[str, object]:
    """Return the coordinate reference system and the transform of an open raster, as far as it has them.

    Returns:
        ``crs``: such as 'EPSG:32633', or WKT where the system has no such number. ``transform``: ``[a, b, c, d, e, f]``
        with x = a column + b row + c and y = d column + e row + f for the upper left corner of a pixel.
    """
    found: dict[str, object] = {}
    if raster.crs:
        code = raster.crs.to_epsg()
        found['crs'] = f'EPSG:{code}' if code else raster.crs.to_wkt()
    if not raster.transform.is_identity:
        found['transform'] = list(raster.transform)[:6]
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
