"""Trace the regions of a map as polygons, tile by tile; neighbours keep one common border, without gaps or overlaps."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from rasterio.features import shapes
from rasterio.transform import Affine

from .labels import vector_libraries
from .regions import Regions

COLUMNS = 2048  # width of a tile; its height is that of a strip


class Traced(NamedTuple):
    """Finished polygons.

    Args:
        polygons: In pixels of the map, column first, row second.
        regions: Number of the region that each belongs to.
        waiting: Vertices of unfinished polygons in memory.

    Shape:
        - polygons, regions: (n,)
    """

    polygons: np.ndarray
    regions: np.ndarray
    waiting: int


def trace(
    regions: Regions, read: Callable[[int, int], np.ndarray], height: int, tolerance: float, columns: int = COLUMNS
) -> Iterator[Traced]:
    """Trace a map from the top down.

    Every tile is a coverage whose polygons have a vertex at each corner of a pixel, so that neighbours agree about
    their border, inside a tile and from tile to tile. Inside, borders are simplified together; where tiles meet, they
    stay. Memory holds a strip of the map and the polygons that continue below it.

    Args:
        regions: The finished regions.
        read: Takes the first row of a strip and its number of rows; returns its classes.
        height: Of the map in pixels.
        tolerance: How far borders may move, in pixels: the root of the area that may lie between old and new border. 0
            only takes out vertices of straight lines.
        columns: Width of a tile in pixels.

    Yields:
        After each strip the polygons that end in it; a region is one polygon.
    """
    _, shapely = vector_libraries()
    waiting: defaultdict[int, list[Any]] = defaultdict(list)
    for number, row in enumerate(range(0, height, regions.rows)):
        numbers = regions.strip(number, read(row, min(regions.rows, height - row)))
        for column in range(0, numbers.shape[1], columns):
            for region, polygon in _trace_tile(numbers[:, column : column + columns], row, column, tolerance, shapely):
                waiting[region].append(polygon)
        ending = sorted(region for region in waiting if regions.last_strip[region] == number)
        finished, owners = [], []
        for region in ending:
            pieces = waiting.pop(region)
            whole = shapely.get_parts(pieces[0] if len(pieces) == 1 else shapely.union_all(pieces))
            finished += whole.tolist()
            owners += [region] * len(whole)
        vertices = sum(int(shapely.get_num_coordinates(pieces).sum()) for pieces in waiting.values())
        yield Traced(np.array(finished, object), np.array(owners, int), vertices)


def _trace_tile(numbers: np.ndarray, row: int, column: int, tolerance: float, shapely: Any) -> list[tuple[int, Any]]:
    """Return the polygons of one tile, with the number of the region of each."""
    found = list(shapes(np.ascontiguousarray(numbers), connectivity=4, transform=Affine.translation(column, row)))
    polygons = np.array([shapely.Polygon(form['coordinates'][0], form['coordinates'][1:]) for form, _ in found], object)
    polygons = shapely.segmentize(polygons, 1.0)
    simple = shapely.coverage_simplify(polygons, tolerance, simplify_boundary=False)
    return [(int(region), polygon) for polygon, (_, region) in zip(simple, found, strict=True) if region]
