"""Masks of labels: equal to a pixel-by-pixel look at every centre, whole or in windows, upright or rotated."""

from collections import Counter

import numpy as np
import pytest
import shapely
from rasterio.crs import CRS
from rasterio.transform import Affine

from projects.false.common.errors import InputError
from projects.false.vectors.burning import Burner, Place
from projects.false.vectors.labels import Features
from tests.helpers.rasters import ROTATED
from tests.helpers.vector_files import LEFT, TOP, UTM, box

UPRIGHT = Affine(0.5, 0, LEFT, 0, -0.5, TOP)
NAMES = ['road', 'house', 'tree']


def place(transform=UPRIGHT, height=40, width=60):
    return Place('a.tif', CRS.from_user_input(UTM), transform, height, width)


def features(shapes, crs=UTM):
    geometries = np.array([shape for shape, _ in shapes], object)
    classes = np.array([name for _, name in shapes], object)
    return Features('a.gpkg', CRS.from_user_input(crs), geometries, classes, Counter())


def scattered(transform, seed=0, count=25):
    """Triangles over and beside the image."""
    generator = np.random.default_rng(seed)
    corners = generator.uniform(-10, 60, (count, 3, 2)) + generator.normal(0, 1e-3, (count, 3, 2))
    return [
        (shapely.Polygon([transform @ tuple(corner) for corner in triangle]), NAMES[number % 3])
        for number, triangle in enumerate(corners)
    ]


def looked_up(shapes, order, where):
    """The class of every pixel, by the polygons that contain its centre."""
    found = np.full((where.height, where.width), 255, np.uint8)
    columns, rows = np.meshgrid(np.arange(where.width) + 0.5, np.arange(where.height) + 0.5)
    xs, ys = where.transform @ (columns, rows)
    for name in reversed(order):
        for shape, kind in shapes:
            if kind == name:
                found[shapely.contains_xy(shape, xs, ys)] = NAMES.index(name)
    return found


@pytest.mark.parametrize('transform', [UPRIGHT, ROTATED, Affine(0.5, 0, LEFT, 0, 0.5, TOP)])
@pytest.mark.parametrize('priority', [[], ['tree'], ['tree', 'road', 'house']])
def test_masks_are_those_of_the_centres(transform, priority):
    shapes = scattered(transform)
    burnt = Burner([features(shapes)], NAMES, priority).on(place(transform))
    expected = looked_up(shapes, [*priority, *(name for name in NAMES if name not in priority)], place(transform))
    whole = burnt.read(0, 0, 40, 60)
    assert (whole == expected).all()
    assert {0, 1, 2, 255} == set(np.unique(whole).tolist())
    for row, column in ((0, 0), (13, 7), (20, 40)):
        assert (burnt.read(row, column, 20, 20) == whole[row : row + 20, column : column + 20]).all()


def test_labels_of_another_reference_system_lie_in_the_same_place():
    from projects.false.vectors.labels import in_system

    here = features(scattered(UPRIGHT))
    degrees = in_system(here, CRS.from_epsg(4326), None)
    one, two = (Burner([labels], NAMES).on(place()).read(0, 0, 40, 60) for labels in (here, degrees))
    assert (one == two).mean() > 0.999


def test_overlaps_are_counted_by_pair():
    labels = features([(box(0, 0, 10, 10), 'road'), (box(5, 5, 10, 10), 'tree'), (box(50, 30, 20, 20), 'house'),
                       (box(55, 30, 20, 20), 'tree'), (box(10, 0, 5, 5), 'house'), (box(2, 2, 3, 3), '?')])  # fmt: skip
    burnt = Burner([labels], NAMES, ['tree']).on(place())
    assert burnt.overlaps() == {('tree', 'road'): 25, ('tree', 'house'): 50, ('ignored', 'road'): 9}
    assert burnt.count() == 6
    mask = burnt.read(0, 0, 40, 60)
    assert (mask[3, 3], mask[7, 7], mask[0, 0], mask[35, 57], mask[35, 52]) == (255, 2, 0, 2, 1)


def test_what_polygons_of_one_class_share_with_another_counts_once():
    labels = features([(box(0, 0, 10, 10), 'road'), (box(0, 0, 8, 10), 'road'), (box(5, 5, 10, 10), 'tree'),
                       (box(5, 5, 10, 10), 'tree'), (box(10, 0, 5, 20), 'road')])  # fmt: skip
    assert Burner([labels], NAMES, ['tree']).on(place()).overlaps() == {('tree', 'road'): 25 + 50}


def test_area_and_background():
    labels = features([(box(0, 0, 10, 10), 'road')])
    area = features([(box(5, 5, 20, 20), '')])
    mask = Burner([labels], NAMES, area=[area], background='tree').on(place()).read(0, 0, 40, 60)
    expected = np.full((40, 60), 255)
    expected[5:25, 5:25] = 2
    expected[5:10, 5:10] = 0
    assert (mask == expected).all()
    assert (Burner([labels], NAMES, background='tree').on(place()).read(0, 0, 40, 60) == 2).mean() == 1 - 100 / 2400


def test_an_ignored_class_keeps_its_index_and_wins_over_all():
    labels = features([(box(0, 0, 10, 10), 'road'), (box(5, 5, 10, 10), 'house'), (box(8, 8, 10, 10), 'tree')])
    mask = Burner([labels], NAMES, ['tree'], background='road', ignored=['house']).on(place()).read(0, 0, 40, 60)
    assert (mask[5:15, 5:15] == 255).all()
    assert (mask[0, 0], mask[16, 16], mask[30, 30]) == (0, 2, 0)
    for option in ('priority', 'background'):
        with pytest.raises(InputError, match=f'--{option} house: is none of the classes road, tree'):
            Burner([labels], NAMES, **{option: ['house'] if option == 'priority' else 'house'}, ignored=['house'])


def test_an_image_without_a_plane_is_named():
    geocentric = place()._replace(crs=CRS.from_epsg(4978))
    with pytest.raises(InputError, match=r'a\.tif: its reference system, EPSG:4978, is neither projected nor'):
        Burner([features([(box(0, 0, 10, 10), 'road')])], NAMES).on(geocentric)


def test_wrong_names_and_widths_are_refused():
    for options, message in (
        ({'priority': ['car']}, '--priority car: is none of the classes road, house, tree'),
        ({'background': 'car'}, '--background car: is none'),
        ({'buffer': 0.0}, '--buffer 0: give a width above 0 in metres'),
    ):
        with pytest.raises(InputError, match=message):
            Burner([features([])], NAMES, **options)
