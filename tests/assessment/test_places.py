"""Places are drawn from every class with equal chance, and come back from files as QGIS and others write them."""

import numpy as np
import pytest
import rasterio
from pyogrio.raw import read, write
from rasterio.crs import CRS
from rasterio.shutil import copy as copy_raster
from rasterio.warp import transform

from projects.false.assessment.class_map import ClassMap
from projects.false.assessment.places import count_pixels, draw_places, matrix_of, read_places, write_places
from projects.false.common.errors import InputError
from projects.false.imagery.palettes import Palette
from tests.helpers.class_maps import PALETTE, PLACE, made_classes, write_map

SIZES = np.array([11, 13, 12])


@pytest.fixture(scope='module')
def path(tmp_path_factory):
    """A map over two blocks."""
    return write_map(tmp_path_factory.mktemp('map') / 'a_classes.tif', made_classes(1100, 60))


def draw(path, seed=0, sizes=SIZES):
    with ClassMap(path) as opened:
        pixels = count_pixels(opened)
        return draw_places(opened, pixels, sizes, seed), opened, pixels


@pytest.fixture
def filled(path, tmp_path):
    """``filled(reference, name, **changes)`` writes the drawn places with their true classes to a file."""

    def make(reference, name='places.gpkg', drop=(), crs=None, **options):
        file = tmp_path / 'drawn.gpkg'
        with ClassMap(path) as opened:
            pixels = count_pixels(opened)
            write_places(file, opened, pixels, draw_places(opened, pixels, SIZES, 0))
        meta, _, points, columns = read(file)
        table = dict(zip(meta['fields'], columns, strict=True))
        table['reference'] = np.array(reference(len(points)), object)
        if crs:
            xy = np.array([np.frombuffer(point, '<f8', 2, 5) for point in points])
            xy = np.array(transform(meta['crs'], crs, *xy.T)).T
            points = np.array([point[:5] + moved.tobytes() for point, moved in zip(points, xy, strict=True)], object)
        kept = {key: value for key, value in table.items() if key not in drop}
        shape = {} if name.endswith('.csv') else {'geometry_type': 'Point', 'crs': crs or meta['crs']}
        write(tmp_path / name, points if shape else None, list(kept.values()), list(kept), **shape, **options)
        return tmp_path / name

    return make


def load(file, path, **options):
    with ClassMap(path) as opened:
        pixels = count_pixels(opened)
        places = read_places(file, opened, pixels, **options)
        return places, matrix_of(places, opened)


def test_every_class_gets_its_places(path):
    places, _, pixels = draw(path)
    with rasterio.open(path) as raster:
        classes = raster.read(1)
    assert np.bincount(classes[places.rows, places.columns]).tolist() == SIZES.tolist()
    assert len({*zip(places.rows, places.columns, strict=True)}) == SIZES.sum()
    assert pixels.sum(axis=(0, 2)).tolist() == np.bincount(classes[classes != 255]).tolist()
    assert places.rows.max() > 1024  # both blocks
    assert (np.diff(places.rows) < 0).any()  # in random order


def test_all_pixels_can_be_drawn(path):
    _, _, pixels = draw(path)
    places, _, _ = draw(path, sizes=pixels.sum(axis=(0, 2)))
    assert len({*zip(places.rows, places.columns, strict=True)}) == pixels.sum()


def test_pixels_have_equal_chances(path):
    drawn = [draw(path, seed, np.array([0, 400, 0]))[0].rows for seed in range(5)]
    with rasterio.open(path) as raster:
        there = (raster.read(1) == 1).sum(axis=1)
    expected = 2000 * np.add.reduceat(there, range(0, 1100, 100)) / there.sum()
    found = np.bincount(np.concatenate(drawn) // 100, minlength=11)
    assert (((found - expected) ** 2 / expected).sum()) < 25.2  # chi-square of 10 degrees, 0.5 %


def test_the_seed_decides_and_the_tiling_does_not(path, tmp_path):
    copy_raster(path, tmp_path / 'strips.tif', driver='GTiff', tiled=False)
    one, again, other, strips = (
        np.stack(draw(where, seed)[0][:2])
        for where, seed in ((path, 0), (path, 0), (path, 1), (tmp_path / 'strips.tif', 0))
    )
    assert (one == again).all()
    assert (one == strips).all()
    assert (one != other).any()


def test_the_file_is_for_qgis_and_hides_the_map(path, tmp_path):
    places, _, pixels = draw(path)
    with ClassMap(path) as opened:
        write_places(tmp_path / 'places.gpkg', opened, pixels, places)
    meta, _, points, columns = read(tmp_path / 'places.gpkg')
    assert meta['fields'].tolist() == ['id', 'row', 'column', 'reference', 'note']
    assert all(value is None for value in columns[3])
    assert meta['crs'] == 'EPSG:32633'
    x, y = np.array([np.frombuffer(point, '<f8', 2, 5) for point in points]).T
    assert (x == 500_000 + 2 * places.columns + 1).all()
    assert (y == 4_600_000 - 2 * places.rows - 1).all()


def test_references_by_name_by_number_and_empty(filled, path):
    values = ['WALD, dicht ', '2', 2, None, ' ', 'water', '0', 'field']
    file = filled(lambda count: [None if v is None else str(v) for v in (values * count)[:count]])
    places, matrix = load(file, path)
    assert places.reference[:8].tolist() == [2, 2, 2, 255, 255, 0, 0, 1]
    assert matrix.sum() == (places.reference != 255).sum()


def named(tmp_path, names, values):
    """Return the classes that values of a file become on a map of other names."""
    path = write_map(tmp_path / 'named_classes.tif', made_classes(50, 60), palette=Palette('a', names, PALETTE.colors))
    lines = [f'{row},9,{value}\n' for row, value in enumerate(values)]
    (tmp_path / 'named.csv').write_text(''.join(['row,column,reference\n', *lines]))
    with ClassMap(path) as opened:
        return read_places(tmp_path / 'named.csv', opened, count_pixels(opened)).reference.tolist()


def test_names_that_look_like_numbers_are_names(tmp_path):
    assert named(tmp_path, ('v1.0', 'v2.0', 'x'), ['v2.0', 'v1.0', '2']) == [1, 0, 2]
    assert named(tmp_path, ('1', '2', '3'), ['1.0', '3']) == [0, 2]
    assert named(tmp_path, ('1.0', '2.5', 'x'), ['2.5', '1.0']) == [1, 0]
    assert named(tmp_path, ('0', '1', '2'), ['2', '0']) == [2, 0]
    message = r"reference of place 2 in the file is '0(\.0)?', the number of class '1' but no name, .* one of 1, 2, 3"
    for values in (['1', '0'], ['1.0', '0.0']):
        with pytest.raises(InputError, match=message):
            named(tmp_path, ('1', '2', '3'), values)


def test_places_that_cannot_be_projected_are_named(path, tmp_path):
    names = np.array(['field'], object)
    far = np.array([b'\1\1\0\0\0' + np.array([15.0, 99.0]).tobytes()], object)
    write(tmp_path / 'far.geojson', far, [names], ['reference'], geometry_type='Point', crs='EPSG:4326')
    with pytest.raises(InputError, match=r'far\.geojson: 15, 99 cannot be projected to EPSG:32633; check its'):
        load(tmp_path / 'far.geojson', path)
    site = 'LOCAL_CS["Site",LOCAL_DATUM["Site",0],UNIT["metre",1],AXIS["X",EAST],AXIS["Y",NORTH]]'
    local = write_map(tmp_path / 'local_classes.tif', made_classes(50, 60), {**PLACE, 'crs': CRS.from_wkt(site)})
    with pytest.raises(InputError, match=r'far\.geojson: its reference system, EPSG:4326, cannot be projected to Site'):
        load(tmp_path / 'far.geojson', local)


@pytest.mark.parametrize(
    'options',
    [
        {'name': 'places.gpkg'},
        {'name': 'places.geojson', 'driver': 'GeoJSON', 'crs': 'EPSG:4326', 'drop': ('row', 'column')},
        {'name': 'places.shp', 'driver': 'ESRI Shapefile', 'drop': ('row', 'column')},
        {'name': 'places.csv', 'driver': 'CSV'},
    ],
    ids=lambda options: options['name'],
)
def test_files_that_programs_export(filled, path, options):
    drawn, _, _ = draw(path)
    places, matrix = load(filled(lambda count: ['field'] * count, **options), path)
    assert (places.rows == drawn.rows).all()
    assert (places.columns == drawn.columns).all()
    assert matrix.tolist() == [[0, 11, 0], [0, 13, 0], [0, 12, 0]]


def test_wrong_files_are_named(filled, path, tmp_path):
    file = filled(lambda count: ['meadow'] * count)
    with pytest.raises(
        InputError, match=r"reference of place 1 in the file is 'meadow'; write one of water, field, Wald"
    ):
        load(file, path)
    with pytest.raises(InputError, match="has no column 'klasse'; name it with --field: id, row"):
        load(file, path, field='klasse')
    other = write_map(tmp_path / 'b_classes.tif', made_classes(1100, 60, seed=1))
    with pytest.raises(InputError, match='drawn from another map'):
        load(tmp_path / 'drawn.gpkg', other)
    (tmp_path / 'text.gpkg').write_text('nothing')
    with pytest.raises(InputError, match='cannot be read as points'):
        load(tmp_path / 'text.gpkg', path)
    table = [np.array([3, 3]), np.array([9, 9]), np.array(['field', 'field'], object)]
    write(tmp_path / 'twice.csv', None, table, ['row', 'column', 'reference'], driver='CSV')
    with pytest.raises(InputError, match='holds a place twice'):
        load(tmp_path / 'twice.csv', path)
    for row in ('inf', 'nan', 'x', '9' * 20):
        (tmp_path / 'odd.csv').write_text(f'row,column,reference\n{row},1,field\n')
        with pytest.raises(InputError, match=r'odd\.csv: a place has no row; remove places that --sample did not draw'):
            load(tmp_path / 'odd.csv', path)


def test_maps_without_a_place(tmp_path):
    path = write_map(tmp_path / 'a_classes.tif', made_classes(50, 60), place={})
    places, _, pixels = draw(path, sizes=np.array([2, 3, 4]))
    with ClassMap(path) as opened:
        write_places(tmp_path / 'places.gpkg', opened, pixels, places)
        x, y = opened.positions(places.rows, places.columns)
        assert np.stack(opened.pixels(x, y)).tolist() == [places.rows.tolist(), places.columns.tolist()]


def test_only_class_maps_are_taken(make_raster, tmp_path):
    with (
        pytest.raises(InputError, match='does not name its classes; give NAME_classes'),
        ClassMap(make_raster(np.zeros((1, 20, 20), np.uint8))),
    ):
        pass
    path = write_map(tmp_path / 'a_classes.tif', np.full((20, 20), 3, np.uint8), palette=PALETTE)
    with (
        pytest.raises(InputError, match='holds the value 3, which is no class; known are 0 water'),
        ClassMap(path) as opened,
    ):
        count_pixels(opened)
