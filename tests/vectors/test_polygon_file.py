"""Maps as GeoPackages, read back with GDAL."""

import sqlite3

import numpy as np
import pyogrio
import pytest
import shapely
from rasterio.crs import CRS
from rasterio.transform import Affine

from projects.false.common.errors import InputError
from projects.false.imagery.palettes import Palette
from projects.false.vectors.polygon_file import PolygonFile, read_tags
from tests.helpers.rasters import ROTATED
from tests.helpers.vector_files import UTM
from tests.vectors.test_regions import patchy

PALETTE = Palette(
    'four', ('water', 'a "b" & <c>', 'tree', 'Straße'), ((0, 0, 255), (255, 0, 0), (0, 255, 0), (9, 9, 9))
)
HALF = Affine(0.5, 0, 366_000, 0, -0.5, 5_808_000)


def written(path, classes, crs=UTM, transform=HALF, **options):
    file = PolygonFile(path, *classes.shape, PALETTE, crs and CRS.from_user_input(crs), transform, **options)
    file.add(classes, (classes * 10 + 40).astype(np.uint8))
    file.write(lambda row, rows: classes[row : row + rows])
    meta, _, binary, fields = pyogrio.raw.read(path, layer=path.stem)
    return meta, shapely.from_wkb(binary), dict(zip(meta['fields'].tolist(), fields, strict=True))


def test_fields_and_place(tmp_path):
    classes = patchy(40, 50)
    meta, polygons, fields = written(tmp_path / 'map.gpkg', classes, tags={'SOURCE': 'a.tif'})
    assert (meta['crs'], meta['geometry_type'], list(fields)) == (
        UTM,
        'Polygon',
        ['class', 'value', 'area_m2', 'confidence'],
    )
    assert [PALETTE.classes[value] for value in fields['value']] == fields['class'].tolist()
    assert np.allclose(fields['area_m2'], shapely.area(polygons), atol=1e-3)
    assert fields['area_m2'].sum() == (classes != 255).sum() / 4
    assert (fields['confidence'] == fields['value'] * 10 + 40).all()
    assert shapely.total_bounds(polygons).tolist() == [366_000, 5_808_000 - 20, 366_000 + 25, 5_808_000]
    assert read_tags(tmp_path / 'map.gpkg') == {'SOURCE': 'a.tif'}
    assert [path.name for path in tmp_path.iterdir()] == ['map.gpkg']


def test_min_area_and_simplify_are_in_metres_of_any_system(tmp_path):
    classes = patchy(60, 60, nodata=0)
    metres = written(tmp_path / 'a.gpkg', classes, min_area=5, simplify=0.7)[2]['area_m2']
    assert metres.min() > 3  # simplified after that
    feet = HALF @ Affine.scale(1 / 0.3048006096)
    feet = Affine(*(value / 0.3048006096 for value in HALF[:2]), 6e6, 0, -0.5 / 0.3048006096, 2e6)
    degrees = Affine(0.5 / 69_172 / 0.9999, 0, 13.3, 0, -0.5 / 111_250, 52.0)
    for name, crs, transform in (('feet', 'EPSG:2225', feet), ('degrees', 'EPSG:4326', degrees)):
        found = written(tmp_path / f'{name}.gpkg', classes, crs, transform, min_area=5, simplify=0.7)[2]['area_m2']
        assert len(found) == len(metres)
        assert found.sum() == pytest.approx(metres.sum(), rel=0.02)


@pytest.mark.parametrize('left', [13.3, 179.9998], ids=['Europe', 'across 180 degrees'])
@pytest.mark.parametrize('latitude', [0.0, -52.0])
def test_areas_in_degrees_are_those_of_the_ellipsoid_everywhere(tmp_path, left, latitude):
    side, squared = 5e-6, 0.00669438  # degrees, and eccentricity
    classes = patchy(40, 90, nodata=0)
    areas = written(tmp_path / 'a.gpkg', classes, 'EPSG:4326', Affine(side, 0, left, 0, -side, latitude))[2]['area_m2']
    along, sine = np.radians(side) * 6_378_137, np.sin(np.radians(latitude))
    pixel = along**2 * (1 - squared) / (1 - squared * sine**2) ** 2 * np.cos(np.radians(latitude))
    assert areas.sum() == pytest.approx(classes.size * pixel, rel=1e-4)


def test_without_a_transform_a_reference_system_says_nothing(tmp_path):
    meta, polygons, fields = written(tmp_path / 'a.gpkg', patchy(40, 50), UTM, None)
    assert shapely.total_bounds(polygons).tolist() == [0, -40, 50, 0]
    assert np.isnan(fields['area_m2']).all()
    assert 'EPSG' not in str(meta['crs'])


def test_web_mercator_is_measured_on_the_ground(tmp_path):
    classes, web = patchy(60, 60, nodata=0), Affine(0.5 / 0.6157, 0, 1_480_000, 0, -0.5 / 0.6157, 6_800_000)
    metres, found = (
        written(tmp_path / f'{number}.gpkg', classes, crs, transform, min_area=5, simplify=0.7)[2]['area_m2']
        for number, (crs, transform) in enumerate(((UTM, HALF), ('EPSG:3857', web)))
    )
    assert len(found) == len(metres)
    assert found.sum() == pytest.approx(metres.sum(), rel=0.01)


def test_a_rotated_map_and_one_without_a_place(tmp_path):
    classes = patchy(40, 50)
    polygons = written(tmp_path / 'a.gpkg', classes, transform=ROTATED, simplify=0.5)[1]
    assert shapely.is_valid(polygons).all()
    _, polygons, fields = written(tmp_path / 'b.gpkg', classes, None, None, min_area=5)
    assert shapely.total_bounds(polygons).tolist() == [0, -40, 50, 0]
    assert np.isnan(fields['area_m2']).all()


def test_the_style_travels_inside(tmp_path):
    written(tmp_path / 'map.gpkg', patchy(20, 20))
    with sqlite3.connect(tmp_path / 'map.gpkg') as database:
        ((table, style, default),) = database.execute('SELECT f_table_name, styleQML, useAsDefault FROM layer_styles')
    assert (table, default) == ('map', 1)
    assert 'categorizedSymbol' in style
    assert pyogrio.list_layers(tmp_path / 'map.gpkg').tolist() == [['map', 'Polygon'], ['layer_styles', None]]


def test_nothing_to_trace_is_an_empty_layer(tmp_path):
    _, polygons, fields = written(tmp_path / 'map.gpkg', np.full((9, 9), 255, np.uint8))
    assert (len(polygons), list(fields)) == (0, ['class', 'value', 'area_m2', 'confidence'])


def test_refusals(tmp_path):
    with pytest.raises(InputError, match='--min-area -1: give 0 or more'):
        PolygonFile(tmp_path / 'a.gpkg', 9, 9, PALETTE, None, None, min_area=-1)
    (tmp_path / 'file').write_text('')
    with pytest.raises(InputError, match=r'a\.gpkg: writing failed .*give another --out'):
        written(tmp_path / 'file' / 'a.gpkg', patchy(9, 9))
    assert read_tags(tmp_path / 'gone.gpkg') == {}
