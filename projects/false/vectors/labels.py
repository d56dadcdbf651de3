"""Read labels from GeoPackage, GeoJSON, Shapefile and FlatGeobuf: classes, and simple, valid, flat geometries.

Other content that QGIS and similar programs write is mended and counted: heights, multi-part and collected geometries,
invalid polygons, and features without geometry or class.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from rasterio.crs import CRS
from rasterio.errors import CRSError

from projects.false.common.errors import InputError
from projects.false.common.files import check_name

from .reference_systems import check_on_earth, local_metres, metres_per_unit, project

VECTOR_DRIVERS = {
    '.gpkg': 'GPKG',
    '.geojson': 'GeoJSON',
    '.json': 'GeoJSON',
    '.shp': 'ESRI Shapefile',
    '.fgb': 'FlatGeobuf',
}
_KNOWN = 'GeoPackage, GeoJSON, Shapefile or FlatGeobuf'
_LAYER = '|layername='  # as QGIS writes it
_NUMBER = re.compile(r'-?\d+(\.\d+)?')
_LONGEST = {True: 0.001, False: 100.0}  # of an edge before it is projected, in degrees where True, else in metres


class Features(NamedTuple):
    """The features of one layer.

    Args:
        source: File and layer as given, for messages.
        crs: Reference system.
        geometries: Points, lines and polygons, valid and of two dimensions, shape (n,).
        classes: Name of the class of each, None where it has none, shape (n,).
        mended: What was changed or left out -> number of features.
    """

    source: str
    crs: CRS
    geometries: np.ndarray
    classes: np.ndarray
    mended: Counter[str]

    def pick(self, chosen: np.ndarray) -> 'Features':
        """Return some of the features; ``chosen`` is a mask or a list of positions."""
        return self._replace(geometries=self.geometries[chosen], classes=self.classes[chosen])


def vector_libraries() -> tuple[Any, Any]:
    """Import pyogrio and shapely.

    Raises:
        InputError: One of them is not installed.
    """
    try:
        import pyogrio
        import shapely
    except ImportError as error:
        raise InputError(
            f"{error.name} is missing, which polygons need; pip install 'pyogrio>=0.10' 'shapely>=2.1'"
        ) from error
    return pyogrio, shapely


def check_vector_name(path: Path, shown: Path | None = None) -> None:
    """Refuse a path that pyogrio would cut off: it takes what follows ``!`` for a member of a zip, and drops ``;``.

    Args:
        path: The file of polygons.
        shown: What the user can rename, where that is not the file.

    Raises:
        InputError: It has such a sign.
    """
    sign = '!' if '!' in str(path) else ';' if ';' in path.name else ''
    if sign:
        raise InputError(f'{shown or path}: files of polygons cannot have {sign!r} in their name; rename it')


def read_features(source: str | Path, field: str | None) -> Features:
    """Read a layer.

    Args:
        source: A file, or ``FILE|layername=NAME`` where it has several layers.
        field: Field of the class names; numbers count as names. None reads geometries alone, all of one class named ''.

    Raises:
        InputError: The file is missing, damaged or of another kind, has no such layer or field, or no reference
            system.
    """
    pyogrio, shapely = vector_libraries()
    path, _, layer = str(source).partition(_LAYER)
    _check_kind(Path(path))
    layer = _choose_layer(path, layer, pyogrio)
    try:
        info = pyogrio.read_info(path, layer=layer)
        names = list(info['fields'])
        if field is not None and field not in names:
            raise InputError(
                f'{source}: has no field {field!r}; give --class-field, one of: {", ".join(names) or "none"}'
            )
        columns = [] if field is None else [field]
        meta, numbers, binary, values = pyogrio.raw.read(path, layer=layer, columns=columns, return_fids=True)
    except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError, OSError, ValueError) as error:
        raise InputError(f'{source}: cannot be read ({_one_line(error)}); open it in QGIS and save it again') from error
    crs = system_of(source, meta['crs'])
    classes = np.full(len(binary), '' if field is None else None, object)
    if field is not None:
        classes[:] = [class_name(value) for value in values[0].tolist()]
    mended: Counter[str] = Counter()
    if field is not None:
        _drop(mended, f'without a value of {field!r}, left out', _is_none(classes))
    geometries, owners = _simple_geometries(binary, numbers, mended, shapely)
    if field is not None:
        keep = ~_is_none(classes[owners])
        geometries, owners = geometries[keep], owners[keep]
    return Features(str(source), crs, geometries, classes[owners], mended)


def layer_file(source: str | Path) -> Path:
    """Return the file of a layer, ``FILE`` of ``FILE|layername=NAME``."""
    return Path(str(source).partition(_LAYER)[0])


def _check_kind(path: Path) -> None:
    check_name(path)
    check_vector_name(path)
    driver = VECTOR_DRIVERS.get(path.suffix.lower())
    if driver is None:
        raise InputError(f'{path}: is no {_KNOWN}; save it as one of these in QGIS')
    if not path.is_file():
        raise InputError(f'{path}: no such file; check the path')
    with path.open('rb') as file:
        start = file.read(64).lstrip(b'\xef\xbb\xbf \t\r\n')
    begins = {'GPKG': b'SQLite format 3', 'GeoJSON': b'{', 'ESRI Shapefile': b'\0\0\x27\n', 'FlatGeobuf': b'fgb'}
    if not start.startswith(begins[driver]):
        raise InputError(f'{path}: is not what its suffix says; save it as {_KNOWN} in QGIS')


def _choose_layer(path: str, wanted: str, pyogrio: Any) -> str:
    try:
        layers = [str(name) for name, kind in pyogrio.list_layers(path).tolist() if kind is not None]
    except pyogrio.errors.DataSourceError as error:
        raise InputError(f'{path}: cannot be read ({_one_line(error)}); open it in QGIS and save it again') from error
    if wanted and wanted not in layers:
        raise InputError(f'{path}: has no layer {wanted!r}; give one of: {", ".join(layers)}')
    if not wanted and len(layers) != 1:
        if not layers:
            raise InputError(f'{path}: has no layer with geometries; give a file with polygons')
        raise InputError(f"{path}: has {len(layers)} layers; say which, such as '{path}{_LAYER}{layers[0]}'")
    return wanted or layers[0]


def system_of(source: str | Path, text: str | None) -> CRS:
    """Return the reference system that a file states.

    Raises:
        InputError: It states none, or one that is unknown.
    """
    if not text:
        raise InputError(
            f'{source}: has no reference system; set it in QGIS (Layer, Layer CRS) and save the file again'
        )
    try:
        return CRS.from_user_input(text)
    except CRSError as error:
        raise InputError(f'{source}: has an unknown reference system; save it in QGIS in that of the images') from error


def class_name(value: object) -> str | None:
    """Return the class that the value of a field names: ``3.0`` is ``'3'``; None for empty values."""
    if isinstance(value, float):
        if not np.isfinite(value):
            return None
        value = int(value) if value.is_integer() else value
    return (str(value).strip() or None) if value is not None else None


def class_number(name: str) -> float | None:
    """Return the number that the name of a class is, such as ``2``, ``-1`` or ``1.5``; None if it is none."""
    return float(name) if _NUMBER.fullmatch(name) else None


def _simple_geometries(
    binary: np.ndarray, numbers: np.ndarray, mended: Counter[str], shapely: Any
) -> tuple[np.ndarray, np.ndarray]:
    """Return simple geometries, and the feature that each is a part of."""
    there = ~_is_none(binary)
    geometries = np.full(len(binary), None, object)
    geometries[there] = shapely.from_wkb(binary[there], on_invalid='fix')
    unreadable = there & shapely.is_missing(geometries)
    _drop(
        mended, f'whose geometry is damaged, left out (the first is number {_first(numbers, unreadable)})', unreadable
    )
    empty = ~there | (~unreadable & shapely.is_empty(geometries))
    _drop(mended, 'without geometry, left out', empty)
    good = ~empty & ~unreadable
    geometries, owners = geometries[good], np.flatnonzero(good)
    _drop(mended, 'with heights, which are not used', shapely.has_z(geometries) | shapely.has_m(geometries))
    geometries = shapely.force_2d(geometries)
    invalid = ~shapely.is_valid(geometries)
    _drop(mended, f'that were invalid, repaired (the first is number {_first(numbers[owners], invalid)})', invalid)
    geometries[invalid] = shapely.make_valid(geometries[invalid], method='structure', keep_collapsed=False)
    _drop(mended, 'whose repaired geometry is empty, left out', invalid & shapely.is_empty(geometries))
    kinds = shapely.get_type_id(geometries)
    _drop(
        mended, 'of several parts, taken apart', ~invalid & (kinds >= 4) & (shapely.get_num_geometries(geometries) > 1)
    )
    while (shapely.get_type_id(geometries) >= 4).any():  # collections hold multi-part geometries
        geometries, part_of = shapely.get_parts(geometries, return_index=True)
        owners = owners[part_of]
    keep = ~shapely.is_empty(geometries)
    return geometries[keep], owners[keep]


def _is_none(values: np.ndarray) -> np.ndarray:
    return np.array([value is None for value in values], bool)


def _first(numbers: np.ndarray, chosen: np.ndarray) -> int:
    return int(numbers[chosen][0]) if chosen.any() else -1


def _drop(mended: Counter[str], what: str, chosen: np.ndarray) -> None:
    if chosen.any():
        mended[what] += int(chosen.sum())


def _one_line(error: Exception) -> str:
    return str(error).split('\n')[0].strip().rstrip('.;')


def in_system(features: Features, crs: CRS, buffer: float | None) -> Features:
    """Return the features in another reference system, as polygons.

    Long edges get points in between before they are projected, so that they bend as they should.

    Args:
        features: Any features.
        crs: The reference system.
        buffer: Half of the width of lines and the radius of points, in metres; None if there are none.

    Raises:
        InputError: The geometries cannot be projected to the reference system, or there are lines or points and no
            buffer.
    """
    _, shapely = vector_libraries()
    geometries = features.geometries
    thin = shapely.get_dimensions(geometries) < 2
    if thin.any() and buffer is None:
        raise InputError(
            f'{features.source}: holds {int(thin.sum())} lines and points, which cover no pixel; say how far '
            'they reach in metres: --buffer 1.5'
        )
    if features.crs != crs:
        check_on_earth(shapely.get_coordinates(geometries), features.crs, crs, features.source)
        unit = 1.0 if features.crs.is_geographic else features.crs.units_factor[1]
        geometries = shapely.segmentize(geometries, _LONGEST[features.crs.is_geographic] / unit)
        geometries = _projected(geometries, features.crs, crs, features.source, shapely)
    if thin.any():
        geometries = geometries.copy()
        geometries[thin] = _buffered(geometries[thin], crs, buffer or 0, features.source, shapely)
    broken = ~shapely.is_valid(geometries)
    geometries[broken] = shapely.make_valid(geometries[broken], method='structure', keep_collapsed=False)
    return features._replace(crs=crs, geometries=geometries)


def _projected(geometries: np.ndarray, source: CRS, target: CRS, where: str, shapely: Any) -> np.ndarray:
    moved = project(shapely.get_coordinates(geometries), source, target, where)
    found: np.ndarray = shapely.set_coordinates(geometries.copy(), moved)
    return found


def _buffered(geometries: np.ndarray, crs: CRS, metres: float, where: str, shapely: Any) -> np.ndarray:
    """Widen lines and points; where a unit has no fixed length, in a local system of metres around each of them."""
    unit = metres_per_unit(crs)
    if unit is not None:
        wide: np.ndarray = shapely.buffer(geometries, metres / unit)
        return wide
    found = []
    for geometry in geometries:
        local = local_metres(shapely.get_coordinates(shapely.centroid(geometry))[0], crs, where)
        flat = _projected(np.array([geometry]), crs, local, where, shapely)
        found.append(_projected(shapely.buffer(flat, metres), local, crs, where, shapely)[0])
    return np.array(found)


def mended_lines(features: Iterable[Features]) -> list[str]:
    """Describe what was mended, one line per file."""
    return [
        f'{one.source}: ' + '; '.join(f'{count} features {what}' for what, count in one.mended.items())
        for one in features
        if one.mended
    ]


def order_classes(features: Sequence[Features], wanted: Sequence[str], ignored: Sequence[str]) -> list[str]:
    """Return the classes in the order of their indices.

    Args:
        features: All labels.
        wanted: The classes by name; empty takes all that occur, numbers by value and then names by alphabet.
        ignored: Names whose polygons are ignored; a wanted one keeps its index.

    Raises:
        InputError: A name occurs that is neither wanted nor ignored, or a given name occurs nowhere.
    """
    where = {name: one.source for one in features for name in one.classes if name is not None}
    if not where:
        raise InputError(f'{", ".join(one.source for one in features)}: no feature has a class; check --class-field')
    for option, given in (('--ignore', ignored), ('--classes', wanted)):
        absent = [name for name in given if name not in where]
        if absent and option == '--ignore':
            raise InputError(f'{option} {absent[0]}: no feature has this class; there are: {", ".join(sorted(where))}')
    if wanted:
        surplus = sorted(set(where) - {*wanted, *ignored})
        if surplus:
            raise InputError(
                f'{where[surplus[0]]}: class {surplus[0]!r} is not among the classes given; add it, or --ignore it'
            )
        return list(wanted)
    number_of = {name: class_number(name) for name in set(where) - set(ignored)}
    return sorted(number_of, key=lambda name: (number_of[name] is None, number_of[name] or 0, name))
