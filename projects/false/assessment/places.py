"""Places to check on a map: drawn at random from every class, written for QGIS, and read back when filled in."""

import json
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from projects.false.common.errors import InputError
from projects.false.common.files import atomic_path, writable
from projects.false.mapping.class_map_file import NODATA
from projects.false.vectors.labels import class_number, system_of
from projects.false.vectors.reference_systems import project

from .class_map import ClassMap

LAYER, FIELD = 'places', 'reference'


class Places(NamedTuple):
    """Single pixels of a map.

    Args:
        rows, columns: Where they are.
        reference: Their true classes, 255 where unknown.

    Shape:
        - rows, columns, reference: (n,)
    """

    rows: np.ndarray
    columns: np.ndarray
    reference: np.ndarray


def count_pixels(opened: ClassMap) -> np.ndarray:
    """Count the pixels of every class, block by block; with a reference raster only those whose true class is known.

    Shape:
        - result: (blocks, classes, classes), by class of the map and true class; without a reference raster all are in
          the first column
    """
    count = len(opened.classes)
    found = []
    for row, column in opened.blocks():
        block = opened.read(row, column)
        true = np.zeros_like(block.classes) if block.reference is None else block.reference
        known = (block.classes != NODATA) & (true != NODATA)
        pairs = block.classes[known].astype(np.int64) * count + true[known]
        found.append(np.bincount(pairs, minlength=count * count).reshape(count, count))
    return np.stack(found)


def draw_places(opened: ClassMap, pixels: np.ndarray, sizes: np.ndarray, seed: int) -> Places:
    """Draw pixels of every class at random, each with equal chance, and return them in random order.

    The first places are then a random sample themselves, so one may stop checking early.

    Args:
        opened: The map, and a reference raster if there is one.
        pixels: See :func:`count_pixels`.
        sizes: Pixels to draw per class, see :func:`.estimates.allocate`.
        seed: Seed of the draw.

    Shape:
        - sizes: (classes,)
    """
    generator = np.random.default_rng(seed)
    in_block = pixels.sum(axis=2)
    before = np.cumsum(in_block, axis=0) - in_block
    ranks = [
        np.sort(generator.choice(int(total), int(size), replace=False)) if size else np.empty(0, np.int64)
        for total, size in zip(in_block.sum(axis=0), sizes, strict=True)
    ]
    found: list[tuple[int, int, int]] = []
    for number, (row, column) in enumerate(opened.blocks()):
        ends = before[number] + in_block[number]
        wanted = {
            index: chosen[np.searchsorted(chosen, before[number, index]) : np.searchsorted(chosen, ends[index])]
            for index, chosen in enumerate(ranks)
        }
        if not any(map(len, wanted.values())):
            continue
        block = opened.read(row, column)
        for index, chosen in wanted.items():
            if len(chosen):
                there = block.classes == index
                if block.reference is not None:
                    there &= block.reference != NODATA
                for place in np.flatnonzero(there)[chosen - before[number, index]].tolist():
                    down, across = divmod(place, there.shape[1])
                    true = NODATA if block.reference is None else int(block.reference[down, across])
                    found.append((row + down, column + across, true))
    rows, columns, reference = np.array(found, np.int64).reshape(-1, 3)[generator.permutation(len(found))].T
    return Places(rows, columns, reference)


def write_places(out: Path, opened: ClassMap, pixels: np.ndarray, places: Places) -> None:
    """Write places as points of a GeoPackage, with an empty column for what is truly there.

    The class of the map is left out: whoever knows it tends to agree with it.

    Args:
        out: The file.
        opened: The map.
        pixels: See :func:`count_pixels`; kept in the file, so that another map is refused later.
        places: The places.

    Raises:
        InputError: The file cannot be written.
    """
    from pyogrio.raw import write  # has its own copy of GDAL, which takes time to load

    x, y = opened.positions(places.rows, places.columns)
    points = np.zeros(len(x), [('order', 'u1'), ('kind', '<u4'), ('x', '<f8'), ('y', '<f8')])
    points['order'], points['kind'], points['x'], points['y'] = 1, 1, x, y
    fields = {
        'id': np.arange(1, len(x) + 1, dtype=np.int32),
        'row': places.rows.astype(np.int32),
        'column': places.columns.astype(np.int32),
        FIELD: np.full(len(x), None, object),
        'note': np.full(len(x), None, object),
    }
    with writable(out, 'give another --out'), atomic_path(out) as temporary, warnings.catch_warnings():
        warnings.simplefilter('ignore')  # GDAL expects the suffix .gpkg
        write(
            temporary,
            np.array([point.tobytes() for point in points], object),
            list(fields.values()),
            list(fields),
            layer=LAYER,
            driver='GPKG',
            geometry_type='Point',
            crs=opened.crs.to_wkt() if opened.crs else None,
            layer_metadata={'map': opened.path.name, 'pixels': json.dumps(_population(pixels))},
        )


def _population(pixels: np.ndarray) -> list[int]:
    return [int(number) for number in pixels.sum(axis=(0, 2))]


def read_places(path: Path, opened: ClassMap, pixels: np.ndarray, field: str = FIELD) -> Places:
    """Read filled places from any file of points that GDAL reads.

    If the file has the columns ``row`` and ``column``, they give the pixel of the map; otherwise the points do.

    Args:
        path: GeoPackage, GeoJSON, Shapefile or CSV.
        opened: The map.
        pixels: See :func:`count_pixels`.
        field: Column with the true class, by name in any case or by number; places without are unknown. Where names
            are other numbers, only they count.

    Raises:
        InputError: The file cannot be read, was drawn from another map, or holds a name that is no class.
    """
    from pyogrio.errors import DataSourceError
    from pyogrio.raw import read

    try:
        meta, _, points, columns = read(path)
    except (DataSourceError, OSError, ValueError) as error:
        raise InputError(f'{path}: cannot be read as points ({error}); give the file that --sample wrote') from error
    table = {str(name): column for name, column in zip(meta['fields'], columns, strict=True)}
    if field not in table:
        raise InputError(f'{path}: has no column {field!r}; name it with --field: {", ".join(table)}')
    _check_map(path, opened, pixels)
    if {'row', 'column'} <= table.keys():
        rows, across = (_whole(table[name], name, path) for name in ('row', 'column'))
    elif points is not None and len(points):
        rows, across = _pixels_of(path, points, meta['crs'], opened)
    else:
        raise InputError(
            f'{path}: has neither points nor the columns row and column; give the file that --sample wrote'
        )
    if len({*zip(rows.tolist(), across.tolist(), strict=True)}) < len(rows):
        raise InputError(f'{path}: holds a place twice; keep one of them')
    return Places(rows, across, _classes_of(table[field], opened.classes, path, field))


def _check_map(path: Path, opened: ClassMap, pixels: np.ndarray) -> None:
    from pyogrio import read_info

    known = (read_info(path).get('layer_metadata') or {}).get('pixels')
    if known is not None and json.loads(known) != _population(pixels):
        raise InputError(f'{path}: its places were drawn from another map than {opened.path}; give that map')


def _whole(values: np.ndarray, name: str, path: Path) -> np.ndarray:
    try:
        return np.array([int(value) for value in values], np.int64)
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(f'{path}: a place has no {name}; remove places that --sample did not draw') from error


def _pixels_of(path: Path, points: Sequence[bytes], crs: str | None, opened: ClassMap) -> tuple[np.ndarray, np.ndarray]:
    """Return rows and columns of points in WKB; a z value is ignored."""
    found = []
    for point in points:
        order = '<' if point is not None and point[0] == 1 else '>'
        if point is None or np.frombuffer(point, f'{order}u4', 1, 1)[0] % 1000 != 1:
            raise InputError(f'{path}: holds other shapes than points; give the places as points')
        found.append(np.frombuffer(point, f'{order}f8', 2, 5))
    places = np.array(found, float)
    if crs and opened.crs:
        places = project(places, system_of(path, crs), opened.crs, path)
    return opened.pixels(*places.T)


def _classes_of(values: np.ndarray, classes: Sequence[str], path: Path, field: str) -> np.ndarray:
    known = {name.strip().casefold(): index for index, name in enumerate(classes)}
    numbers = {str(index): index for index in range(len(classes))}
    other_numbers = any(class_number(name.strip()) not in (None, index) for index, name in enumerate(classes))
    found = []
    for number, value in enumerate(values, 1):
        text = '' if value is None or value != value else str(value).strip().casefold()
        whole = text.removesuffix('.0')  # of a column of numbers
        index = NODATA if not text else known.get(text, known.get(whole))
        if index is None and whole in numbers:
            index = numbers[whole]
            if other_numbers:
                raise InputError(
                    f'{path}: {field} of place {number} in the file is {value!r}, the number of class '
                    f'{classes[index]!r} but no name, and names are numbers here; write one of {", ".join(classes)}'
                )
        if index is None:
            raise InputError(
                f'{path}: {field} of place {number} in the file is {value!r}; write one of {", ".join(classes)}, or '
                'leave it empty'
            )
        found.append(index)
    return np.array(found, np.int64)


def matrix_of(places: Places, opened: ClassMap) -> np.ndarray:
    """Count the places whose true class is known, by class of the map and true class: (classes, classes)."""
    count = len(opened.classes)
    mapped = opened.values(places.rows, places.columns)
    used = (mapped != NODATA) & (places.reference != NODATA)
    pairs = mapped[used].astype(np.int64) * count + places.reference[used]
    return np.bincount(pairs, minlength=count * count).reshape(count, count)
