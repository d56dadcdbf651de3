"""Labels as QGIS and other programs write them: what is mended is counted, what cannot be is named."""

import re

import numpy as np
import pytest
import shapely
from rasterio.crs import CRS

from projects.false.common.errors import InputError
from projects.false.vectors.labels import class_name, in_system, mended_lines, order_classes, read_features
from tests.helpers.vector_files import UTM, box, write_vectors

SQUARE = 'POLYGON((0 0,4 0,4 4,0 4,0 0))'
ODD = {
    'Z': (['POLYGON Z((0 0 7,4 0 7,4 4 7,0 4 7,0 0 7))', SQUARE], '1 features with heights, which are not used', 2, 32),
    'multi': (
        ['MULTIPOLYGON(((0 0,1 0,1 1,0 0)),((5 5,6 5,6 6,5 5)))'],
        '1 features of several parts, taken apart',
        2,
        1,
    ),
    'bow tie': (
        ['POLYGON((0 0,4 4,4 0,0 4,0 0))'],
        r'1 features that were invalid, repaired \(the first is number',
        2,
        8,
    ),
    'spike': (['POLYGON((0 0,4 0,4 4,4 9,4 4,0 4,0 0))'], '1 features that were invalid, repaired', 1, 16),
    'collapsed': (
        ['POLYGON((0 0,4 0,0 0,0 0))', SQUARE],
        '1 features whose repaired geometry is empty, left out',
        1,
        16,
    ),
    'none': ([None, SQUARE], '1 features without geometry, left out', 1, 16),
    'empty': (['POLYGON EMPTY', SQUARE], '1 features without geometry, left out', 1, 16),
    'collection': ([f'GEOMETRYCOLLECTION({SQUARE},MULTIPOLYGON(((5 5,6 5,6 6,5 5))))'], 'several parts', 2, 16.5),
}


@pytest.mark.parametrize('case', ODD)
def test_odd_geometries_are_mended_and_counted(tmp_path, case):
    shapes, said, count, area = ODD[case]
    found = read_features(write_vectors(tmp_path / 'a.gpkg', [(shape, 'x') for shape in shapes]), 'class')
    assert len(found.geometries) == len(found.classes) == count
    assert shapely.area(found.geometries).sum() == area
    assert shapely.is_valid(found.geometries).all()
    assert not shapely.has_z(found.geometries).any()
    (line,) = mended_lines([found])
    assert re.search(said, line)


@pytest.mark.parametrize('suffix', ['.gpkg', '.geojson', '.shp', '.fgb'])
def test_every_format_holds_the_same_labels(tmp_path, suffix):
    crs = 'EPSG:4326' if suffix == '.geojson' else UTM
    shapes = [('POLYGON((0 0,0 4,4 4,4 0,0 0))', 'wood'), ('POLYGON((4 4,4 5,5 5,4 4))', None)]
    found = read_features(write_vectors(tmp_path / f'a{suffix}', shapes, crs), 'class')
    assert found.crs == CRS.from_user_input(crs)
    assert (found.classes.tolist(), shapely.area(found.geometries).tolist()) == (['wood'], [16.0])
    assert found.mended["without a value of 'class', left out"] == 1


def test_numbers_are_names(tmp_path):
    shapes = [(SQUARE, 10), (SQUARE, None), (SQUARE, 2)]
    found = read_features(write_vectors(tmp_path / 'a.gpkg', shapes), 'class')
    assert order_classes([found], [], []) == ['2', '10']
    digits = read_features(write_vectors(tmp_path / 'b.gpkg', [(SQUARE, name) for name in ('²', 'b', '3')]), 'class')
    assert order_classes([digits], [], []) == ['3', 'b', '²']
    signs = read_features(
        write_vectors(tmp_path / 'c.gpkg', [(SQUARE, name) for name in ('2', '10', '-1', 'b', '1.5', '1_0')]), 'class'
    )
    assert order_classes([signs], [], []) == ['-1', '1.5', '2', '10', '1_0', 'b']
    assert [class_name(v) for v in (3, 3.0, 2.5, ' a ', '', ' ', None, float('nan'), True)] == [
        '3', '3', '2.5', 'a', None, None, None, None, 'True',
    ]  # fmt: skip


def test_one_of_several_layers_is_asked_for_and_styles_are_none(tmp_path):
    path = write_vectors(tmp_path / 'a.gpkg', [(SQUARE, 'a')], layer='one')
    write_vectors(path, [(SQUARE, 'b')], layer='two', append=True)
    with pytest.raises(InputError, match=r"a\.gpkg: has 2 layers; say which, such as '.*a\.gpkg\|layername=one'"):
        read_features(path, 'class')
    assert read_features(f'{path}|layername=two', 'class').classes.tolist() == ['b']
    with pytest.raises(InputError, match="has no layer 'three'; give one of: one, two"):
        read_features(f'{path}|layername=three', 'class')


def test_what_cannot_be_read_is_named(tmp_path):
    good = write_vectors(tmp_path / 'a.gpkg', [(SQUARE, 'a')])
    (tmp_path / 'b.gpkg').write_bytes(good.read_bytes()[:5000])
    (tmp_path / 'c.geojson').write_text('<OGRVRTDataSource></OGRVRTDataSource>')
    (tmp_path / 'd.kml').write_text('<kml/>')
    (tmp_path / 'e.geojson').write_text('{"type": "FeatureCollection", "features": [{"type"')
    lost = write_vectors(tmp_path / 'f.gpkg', [(SQUARE, 'a')], crs=None)
    for source, field, message in (
        (good, 'kind', r"a\.gpkg: has no field 'kind'; give --class-field, one of: class"),
        (tmp_path / 'b.gpkg', 'class', r'b\.gpkg: cannot be read'),
        (tmp_path / 'c.geojson', 'class', r'c\.geojson: is not what its suffix says'),
        (tmp_path / 'd.kml', 'class', r'd\.kml: is no GeoPackage, .*save it as one of these in QGIS'),
        (tmp_path / 'e.geojson', 'class', r'e\.geojson: cannot be read'),
        (tmp_path / 'g.gpkg', 'class', r'g\.gpkg: no such file'),
        (lost, 'class', r'f\.gpkg: has no reference system; set it in QGIS'),
    ):
        with pytest.raises(InputError, match=message):
            read_features(source, field)


def test_long_edges_bend_when_they_are_projected(tmp_path):
    """A parallel of 20 km is 47 m off its chord in UTM at 60 degrees north."""
    source = read_features(
        write_vectors(tmp_path / 'a.gpkg', [(shapely.box(14.8, 60, 15.2, 60.1), 'a')], 'EPSG:4326'), 'class'
    )
    moved = in_system(source, CRS.from_user_input(UTM), None).geometries[0]
    middle = in_system(
        read_features(
            write_vectors(tmp_path / 'b.gpkg', [(shapely.box(14.9999, 60, 15.0001, 60.1), 'a')], 'EPSG:4326'), 'class'
        ),
        CRS.from_user_input(UTM),
        None,
    ).geometries[0]
    assert abs(moved.bounds[1] - middle.bounds[1]) < 0.01
    assert moved.bounds[3] > middle.bounds[3] + 10  # corners of the far side lie above its middle


def test_lines_and_points_need_a_width_which_is_in_metres_everywhere(tmp_path):
    shapes = [('POINT(0 0)', 'tree'), ('LINESTRING(0 0,1000 0)', 'path'), (box(0, 0, 2, 2), 'house')]
    for crs in (UTM, 'EPSG:2225'):  # metres, and US survey feet
        found = read_features(write_vectors(tmp_path / f'{crs[5:]}.gpkg', shapes, crs), 'class')
        with pytest.raises(InputError, match=r'2 lines and points, which cover no pixel; .* --buffer 1\.5'):
            in_system(found, found.crs, None)
        point, _, house = in_system(found, found.crs, 2).geometries
        assert point.area * found.crs.linear_units_factor[1] ** 2 == pytest.approx(4 * np.pi, rel=0.01)
        assert house.area == found.geometries[2].area
    degrees = read_features(write_vectors(tmp_path / 'd.gpkg', [('POINT(13 52)', 'tree')], 'EPSG:4326'), 'class')
    circle = in_system(degrees, CRS.from_epsg(4326), 2)._replace(crs=CRS.from_epsg(4326))
    assert in_system(circle, CRS.from_user_input(UTM), None).geometries[0].area == pytest.approx(4 * np.pi, rel=0.01)


def test_coordinates_outside_of_a_system_are_refused(tmp_path):
    path = write_vectors(
        tmp_path / 'a.gpkg', [('POLYGON((500000 500000,500001 500000,500001 500001,500000 500000))', 'a')], 'EPSG:4326'
    )
    with pytest.raises(
        InputError, match=r'a\.gpkg: 50000., 50000. cannot be projected to EPSG:32633; check its reference'
    ):
        in_system(read_features(path, 'class'), CRS.from_user_input(UTM), None)


LOCAL = CRS.from_wkt('LOCAL_CS["Site",LOCAL_DATUM["Site",0],UNIT["foot",0.3048],AXIS["X",EAST],AXIS["Y",NORTH]]')


def test_systems_without_a_way_to_that_of_the_image_are_named(tmp_path):
    site = read_features(write_vectors(tmp_path / 'a.gpkg', [(SQUARE, 'a')], LOCAL.to_wkt()), 'class')
    utm = read_features(write_vectors(tmp_path / 'b.gpkg', [(SQUARE, 'a')]), 'class')
    in_a_geotiff = CRS.from_wkt('LOCAL_CS["Site",UNIT["foot",0.3048],AXIS["Easting",EAST],AXIS["Northing",NORTH]]')
    for system in (LOCAL, in_a_geotiff):
        assert in_system(site, system, None).geometries[0].equals_exact(site.geometries[0], 1e-9)
    with pytest.raises(
        InputError, match=r'a\.gpkg: its reference system, Site, cannot be projected to EPSG:32633; give'
    ):
        in_system(site, utm.crs, None)
    with pytest.raises(
        InputError, match=r'b\.gpkg: its reference system, EPSG:32633, cannot be projected to Site; give'
    ):
        in_system(utm, LOCAL, None)
    with pytest.raises(InputError, match=r'b\.gpkg: its reference system, EPSG:4978, is neither projected nor'):
        in_system(utm._replace(crs=CRS.from_epsg(4978)), utm.crs, None)


@pytest.mark.parametrize('system', [LOCAL, CRS.from_epsg(3857)], ids=['a local system in feet', 'web Mercator at 52 N'])
def test_a_buffer_is_in_metres_of_the_ground(tmp_path, system):
    unit = 1 / 0.3048 if system == LOCAL else 1 / np.cos(np.radians(52))
    x, y = (0, 0) if system == LOCAL else (1_450_000, 6_800_125)
    found = read_features(write_vectors(tmp_path / 'a.gpkg', [(f'POINT({x} {y})', 'tree')], system.to_wkt()), 'class')
    (circle,) = in_system(found, system, 3).geometries
    assert circle.area == pytest.approx(9 * np.pi * unit**2, rel=0.02)


def test_classes_are_those_given_or_all(tmp_path):
    found = [read_features(write_vectors(tmp_path / 'a.gpkg', [(SQUARE, name) for name in ('b', 'a', '?')]), 'class')]
    assert order_classes(found, [], ['?']) == ['a', 'b']
    assert order_classes(found, ['b', 'a', 'c'], ['?']) == ['b', 'a', 'c']
    with pytest.raises(InputError, match=r"a\.gpkg: class '\?' is not among the classes given; add it, or --ignore it"):
        order_classes(found, ['a', 'b'], [])
    with pytest.raises(InputError, match='--ignore no: no feature has this class; there are'):
        order_classes(found, [], ['no'])


@pytest.mark.parametrize('far', [1e9, 1e12, 1e308])
@pytest.mark.parametrize('crs', ['EPSG:25832', 'EPSG:4326', 'EPSG:2263'])
def test_a_stray_vertex_is_named_before_its_edges_are_divided(tmp_path, far, crs):
    path = write_vectors(tmp_path / 'a.gpkg', [(f'POLYGON((10 50,11 51,{far} 50,10 50))', 'a')], crs)
    message = rf'a\.gpkg: {re.escape(f"{far:g}")}, 50 cannot be projected to EPSG:32633; check its reference'
    with pytest.raises(InputError, match=message):
        in_system(read_features(path, 'class'), CRS.from_epsg(32633), None)


@pytest.mark.parametrize(('name', 'sign'), [('l!x.gpkg', '!'), ('l;x.gpkg', ';'), ('l!/x.geojson', '!')])
def test_names_that_the_library_would_cut_off_are_refused(tmp_path, name, sign):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    write_vectors(tmp_path / 'a.gpkg', [(SQUARE, 'a')]).rename(tmp_path / name)
    with pytest.raises(InputError, match=f"{name}: files of polygons cannot have '{sign}' in their name; rename it$"):
        read_features(tmp_path / name, 'class')
