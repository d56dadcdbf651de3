"""Polygons of a map: without gaps or overlaps, whatever the tiles, and the map itself when they are burnt again."""

import numpy as np
import pytest
import shapely
from rasterio.features import rasterize

from projects.false.vectors.regions import Regions
from projects.false.vectors.tracing import trace
from tests.vectors.test_regions import patchy


def traced(classes, tolerance=0.0, least=0, rows=16, columns=20):
    """All polygons, the class of each, and the vertices that waited after each strip."""
    regions = Regions(classes.shape[1], least, rows)
    regions.add(classes, np.full_like(classes, 50))
    regions.finish()
    found = list(trace(regions, lambda row, count: classes[row : row + count], len(classes), tolerance, columns))
    polygons, owners = np.concatenate([t.polygons for t in found]), np.concatenate([t.regions for t in found])
    assert sorted(set(owners.tolist())) == list(range(1, len(regions.classes)))
    return polygons, regions.classes[owners], [t.waiting for t in found]


@pytest.mark.parametrize(('rows', 'columns'), [(16, 20), (100, 100), (1, 7)])
def test_without_simplification_polygons_are_the_map(rows, columns):
    classes = patchy(50, 60)
    polygons, values, _ = traced(classes, rows=rows, columns=columns)
    assert shapely.is_valid(polygons).all()
    assert shapely.coverage_is_valid(polygons)
    assert (rasterize(zip(polygons, values.tolist(), strict=True), classes.shape, 255) == classes).all()
    assert shapely.area(polygons).sum() == (classes != 255).sum()


@pytest.mark.parametrize('least', [0, 20])
@pytest.mark.parametrize('tolerance', [0.8, 1.5, 4])
def test_simplified_neighbours_share_their_borders(tolerance, least):
    classes = patchy(50, 60, nodata=0)
    polygons, values, _ = traced(classes, tolerance, least)
    assert shapely.is_valid(polygons).all()
    assert (shapely.get_type_id(polygons) == 3).all()
    assert shapely.coverage_is_valid(polygons)
    assert shapely.area(polygons).sum() == pytest.approx(classes.size)
    assert shapely.equals(shapely.coverage_union_all(polygons), shapely.box(0, 0, 60, 50))  # no gap
    plain, _, _ = traced(classes, 0, least)
    assert shapely.get_num_coordinates(polygons).sum() < 0.8 * shapely.get_num_coordinates(plain).sum()
    burnt = rasterize(zip(polygons, values.tolist(), strict=True), classes.shape, 255)
    assert (burnt == classes).mean() > 0.6


def test_the_border_of_nodata_is_simplified_as_well():
    classes = patchy(50, 60, nodata=0.3)
    polygons, _, _ = traced(classes, 1.5)
    assert shapely.coverage_is_valid(polygons)
    outline = shapely.get_coordinates(shapely.coverage_union_all(polygons))
    plain = shapely.get_coordinates(shapely.coverage_union_all(traced(classes)[0]))
    assert len(outline) < 0.75 * len(plain)


def test_only_what_continues_below_waits():
    """A map twenty times as high holds no more at one time."""
    classes = patchy(30, 40)
    classes[-1] = 255
    short, tall = (traced(np.concatenate([classes] * times), rows=10)[2] for times in (1, 20))
    assert max(tall) == max(short) > 0
    assert tall[-1] == 0
