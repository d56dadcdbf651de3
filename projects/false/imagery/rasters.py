"""Find, open and read georeferenced rasters of any type, each by the driver that its suffix names."""

import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import rasterio
from rasterio.crs import CRS
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.io import DatasetReader

from projects.false.common.errors import Faults, InputError
from projects.false.common.files import check_name

from .image_files import DRIVERS, KNOWN_SUFFIXES, check_complete, files_behind, list_imagery
from .pixels import band_count, band_type, has_colors, has_transparency
from .remote import OPEN_OPTIONS, gdal_name, is_remote, is_url, remote_path, unreachable


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

    The change is permanent, since restoring the filters is not safe in threads.
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
    check_name(path)
    driver = DRIVERS.get(path.suffix.lower())
    if driver is None:
        raise InputError(f'{path}: is none of {KNOWN_SUFFIXES}; convert it with gdal_translate or leave it out')
    files_behind(path)
    try:
        with rasterio.Env(**OPEN_OPTIONS if is_remote(path) else {}):
            raster = rasterio.open(gdal_name(path), driver=driver)
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
    if is_remote(path):
        return unreachable(path, cause)
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


def find_rasters(sources: Sequence[str | Path], mosaics: bool = False, remote: bool = False) -> FoundRasters:
    """List the given files and the images of the given folders and all below them.

    Args:
        sources: Files and folders.
        mosaics: Take virtual mosaics of folders whose images are there as well; see :func:`.image_files.list_imagery`.
        remote: Web addresses of GeoTIFFs may be among the sources; otherwise they are refused.

    Raises:
        InputError: Something is missing or of another kind, or there is no image at all.
    """
    found: list[Path] = []
    left_out: dict[str, str] = {}
    for given in sources:
        source = Path(given)
        if is_url(given):
            found.append(remote_path(str(given), remote))
        elif source.is_dir():
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
        InputError: Files cannot be opened, or two have the same name. All are looked at before three are named.
    """
    counts = Counter(path.stem for path in paths)
    stems = [p.stem if counts[p.stem] == 1 else f'{p.resolve().parent.name}_{p.stem}' for p in paths]
    path_of: dict[str, Path] = {}
    rasters, faults = [], Faults('images')
    for stem, path in zip(stems, paths, strict=True):
        with faults.noted():
            other = path_of.setdefault(stem, path)
            if other is not path:
                raise InputError(f'{path}: {other} has the same name, and patches are named after it; rename one')
            rasters.append(_inspect(stem, path))
    faults.check()
    return rasters


def _inspect(stem: str, path: Path) -> Raster:
    if not is_remote(path):
        check_complete(path)
    with open_raster(path) as raster:
        if len(set(raster.dtypes)) > 1:
            raise InputError(f'{path}: bands of different types {raster.dtypes}; give all bands one type')
        return Raster(
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


def choose_bands(rasters: Sequence[Raster], bands: Sequence[int] | None) -> tuple[int, ...]:
    """Choose the bands to take, counted from 1: those given, or all of images with three, not counting alpha.

    Args:
        rasters: All images.
        bands: Numbers of bands, all different; None for images with three bands.

    Raises:
        InputError: Rasters lack a given band, or no bands were given and rasters have other than three.
    """
    faults = Faults('images')
    for raster in rasters:
        with faults.noted():
            _check_bands(raster, bands)
    faults.check()
    if bands is not None and (not bands or len(set(bands)) != len(bands)):
        raise InputError(f'--bands {" ".join(map(str, bands))}: give every band once')
    return tuple(bands) if bands else (1, 2, 3)


def _check_bands(raster: Raster, bands: Sequence[int] | None) -> None:
    count = raster.band_count
    if bands is None and count - raster.alpha != 3:
        shown = count - raster.alpha
        every = ' '.join(str(band) for band in range(1, shown + 1))
        three = 'which three to take, --bands 1 2 3, or ' if shown > 3 else ''
        beside = f' and transparency (band {count})' if raster.alpha else ''
        raise InputError(f'{raster.path}: has {shown} band(s){beside}, 3 are usual; say {three}all: --bands {every}')
    wrong = [band for band in bands or () if not 1 <= band <= count]
    if wrong:
        raise InputError(
            f'{raster.path}: has no band {wrong[0]}; give --bands from 1 to {count}, or leave the file out'
        )


def system_text(crs: CRS) -> str:
    """Return a reference system as a text: such as 'EPSG:32633', or WKT where that number does not say all of it.

    A system with a datum shift of its own has a number that is silent about the shift, which moves the ground by up to
    hundreds of metres.
    """
    code, text = crs.to_epsg(), str(crs.to_wkt())
    shifted = 'TOWGS84[' in text or 'BOUNDCRS[' in text
    return f'EPSG:{code}' if code and (not shifted or CRS.from_epsg(code) == crs) else text


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
        found['crs'] = system_text(raster.crs)
    points, system = raster.gcps
    if not raster.transform.is_identity:
        found['transform'] = list(raster.transform)[:6]
    elif points:
        found['gcps'] = [[point.row, point.col, point.x, point.y, point.z or 0.0] for point in points]
        if system:
            found['gcps_crs'] = system_text(system)
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
