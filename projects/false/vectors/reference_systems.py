"""Reference systems on the ground: metres per unit, positions moved from one system to another, and true areas."""

import re
from collections.abc import Sequence

import numpy as np
from rasterio._err import CPLE_BaseError, CPLE_NotSupportedError
from rasterio.crs import CRS
from rasterio.errors import CRSError
from rasterio.warp import transform as transform_points

from projects.false.common.errors import InputError

_DEGREES = CRS.from_epsg(4326)
_MERCATOR = re.compile(r'(?:PROJECTION|METHOD)\["(?:Mercator|Popular)')  # Popular Visualisation: that of web maps
_FARTHEST, _FARTHEST_DEGREES = 1e8, 360.0  # of a point from the origin, in metres and in degrees
_LOCAL = re.compile(r'(?:LOCAL_CS|ENGCRS)\[')


def metres_per_unit(crs: CRS) -> float | None:
    """Return how many metres on the ground a unit of a reference system is; None if it is not everywhere the same.

    It is not in degrees, and not in a Mercator projection: the metres of web maps are 0.6 m at 52 degrees north. Local
    systems, which are not tied to the Earth, have the unit that they name.

    Example:
        >>> metres_per_unit(CRS.from_epsg(32633)), metres_per_unit(CRS.from_epsg(3857))
        (1.0, None)
    """
    if crs.is_projected:
        return None if _MERCATOR.search(crs.to_wkt()) else float(crs.linear_units_factor[1])
    return float(crs.units_factor[1]) if _is_local(crs) else None


def check_flat(crs: CRS, where: object) -> None:
    """Refuse a reference system in which two numbers are no place on a map: geocentric ones, and heights alone.

    Args:
        crs: The system.
        where: The file that has it, for the message.

    Raises:
        InputError: It is such a system.
    """
    if not (crs.is_projected or crs.is_geographic or _is_local(crs)):
        raise InputError(
            f'{where}: its reference system, {system_name(crs)}, is neither projected nor in degrees; give the file in '
            'one that is'
        )


def project(points: np.ndarray, source: CRS, target: CRS, where: object) -> np.ndarray:
    """Move points from one reference system to another.

    Args:
        points: x and y; longitude and latitude where a system counts degrees.
        source, target: The systems.
        where: The file that the points are from, for messages.

    Shape:
        - points, result: (n, 2)

    Raises:
        InputError: There is no way from one system to the other, or a point lies where the other is not defined.
    """
    if _same(source, target) or not len(points):
        return points
    check_flat(source, where)
    check_flat(target, where)
    if _is_local(source) or _is_local(target):
        raise unrelated(source, target, where)
    try:
        moved = np.stack(transform_points(source, target, *points.T.tolist()), axis=1)
    except (CPLE_NotSupportedError, CRSError) as error:
        raise unrelated(source, target, where) from error
    except CPLE_BaseError:  # of a point; PROJ's errors reach us as they are
        moved = np.full(points.shape, np.nan)
    broken = points[~np.isfinite(moved).all(axis=1)]
    if len(broken):
        raise _unprojectable(broken, target, where)
    return moved


def check_on_earth(points: np.ndarray, source: CRS, target: CRS, where: object) -> None:
    """Refuse points far outside any reference system, before edges to them are divided into pieces.

    Args:
        points, source, target, where: As for :func:`project`.

    Raises:
        InputError: A point is further than one turn in degrees, or than 100,000 km, from the origin.
    """
    far = _FARTHEST_DEGREES if source.is_geographic else _FARTHEST / source.units_factor[1]
    broken = points[~(np.abs(points) <= far).all(axis=1)]
    if len(broken):
        raise _unprojectable(broken, target, where)


def _unprojectable(points: np.ndarray, target: CRS, where: object) -> InputError:
    x, y = points[np.abs(points).max(axis=1).argmax()]
    return InputError(f'{where}: {x:g}, {y:g} cannot be projected to {system_name(target)}; check its reference system')


def equal_area_around(place: Sequence[float], crs: CRS, where: object) -> CRS:
    """Return a system of square metres on the ellipsoid that is not cut anywhere near a place, not even at 180 degrees.

    Args:
        place: x and y.
        crs: Their system.
        where: The file that it is from, for messages.

    Raises:
        InputError: The place is none on Earth.
    """
    ((longitude, _),) = project(np.array([place], float), crs, _DEGREES, where)
    return CRS.from_proj4(f'+proj=cea +lat_ts=30 +lon_0={longitude} +datum=WGS84 +units=m')


def local_metres(place: Sequence[float], crs: CRS, where: object) -> CRS:
    """Return a system of metres that are true around a place; arguments and errors as for :func:`equal_area_around`."""
    ((longitude, latitude),) = project(np.array([place], float), crs, _DEGREES, where)
    return CRS.from_proj4(f'+proj=aeqd +lat_0={latitude} +lon_0={longitude} +datum=WGS84 +units=m')


def system_name(crs: CRS) -> str:
    """Return the EPSG code of a system, or else its name."""
    code, name = crs.to_epsg(), crs.to_wkt().split('"')[1]
    return f'EPSG:{code}' if code else 'metres on the ground' if name == 'unknown' else name


def _is_local(crs: CRS) -> bool:
    return _LOCAL.search(crs.to_wkt()) is not None


def _same(one: CRS, other: CRS) -> bool:
    """Return True for equal systems, and for a local system that lost its datum in a GeoTIFF."""
    if one == other or not (_is_local(one) and _is_local(other)):
        return bool(one == other)
    return system_name(one) == system_name(other) and one.units_factor[1] == other.units_factor[1]


def unrelated(source: CRS, target: CRS, where: object) -> InputError:
    """Return the error for a file whose reference system has no way to another one."""
    names = f'{system_name(source)}, cannot be projected to {system_name(target)}'
    return InputError(f'{where}: its reference system, {names}; give all files in one system')
