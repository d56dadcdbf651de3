"""Files of polygons, lines and points."""

import warnings
from pathlib import Path

import numpy as np
import pyogrio
import shapely

UTM = 'EPSG:32633'
LEFT, TOP = 366_000.0, 5_808_000.0  # upper left corner of the images below


def write_vectors(path: Path, shapes, crs: str | None = UTM, field='class', layer=None, append=False) -> Path:
    """Write shapes, pairs of geometry (or WKT, or WKB, or None) and value; the suffix names the format."""
    path.parent.mkdir(parents=True, exist_ok=True)
    geometries = [_as_binary(shape) for shape, _ in shapes]
    values = [value for _, value in shapes]
    kinds = {type(value) for value in values if value is not None}
    column = np.array(values, object if kinds - {int, float} or not kinds else float)
    if kinds == {int} and None not in values:
        column = np.array(values)
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # of types that differ, which is what some of the tests are about
        pyogrio.raw.write(
            path, np.array(geometries, object), [column], [field], crs=crs, geometry_type='Unknown', layer=layer,
            append=append,
        )  # fmt: skip
    return path


def _as_binary(shape):
    if isinstance(shape, str):
        shape = shapely.from_wkt(shape)
    return shape if shape is None or isinstance(shape, bytes) else shapely.to_wkb(shape, output_dimension=3)


def box(column, row, width, height, side=0.5, left=LEFT, top=TOP):
    """A rectangle of pixels of ``side`` metres."""
    x, y = left + column * side, top - row * side
    return shapely.box(x, y - height * side, x + width * side, y)
