"""What lies beside a map belongs to it: files of another map are not up to date, and a moved image is noticed."""

import csv

import cv2
import numpy as np
import pyogrio
import pytest
import rasterio
from rasterio.crs import CRS
from rasterio.transform import Affine

from projects.false.common.errors import InputError
from projects.false.mapping import map_files
from projects.false.mapping.map_rasters import map_rasters
from projects.false.mapping.options import MapOptions
from tests.helpers.colour_threshold import ColourThreshold
from tests.helpers.rasters import checkerboard

LOCAL = CRS.from_wkt('LOCAL_CS["Site",LOCAL_DATUM["Site",0],UNIT["foot",0.3048],AXIS["X",EAST],AXIS["Y",NORTH]]')
FLAT = Affine(2, 0, 0, 0, -2, 80)


def map_one(source, out, thresholds=(128,), **options):
    (mapped,) = map_rasters(ColourThreshold(thresholds), [source], out, MapOptions(**options))
    return mapped


def pixels_of_first_class(out):
    return int(next(csv.DictReader((out / 'scene_areas.csv').open()))['pixels'])


def counted(out):
    with rasterio.open(out / 'scene_classes.tif') as raster:
        return int((raster.read(1) == 0).sum())


def test_files_of_another_model_are_not_up_to_date(make_raster, tmp_path):
    source, out = make_raster(checkerboard(70, 60)), tmp_path / 'out'
    everything = {'areas': True, 'preview': True, 'confidence': True, 'polygons': True}
    map_one(source, out, **everything)
    map_one(source, out, (200,), overwrite=True)
    names = {path.name for path in out.iterdir() if path.name != '.lock'}
    assert names == {'scene_classes.tif', 'scene_classes.tif.aux.xml', 'scene_classes.qml'}
    assert map_one(source, out, (200,), **everything).counts is not None
    assert pixels_of_first_class(out) == counted(out)
    assert map_one(source, out, (200,), **everything).counts is None


def test_files_of_the_same_map_stay(make_raster, tmp_path):
    source, out = make_raster(checkerboard(70, 60)), tmp_path / 'out'
    map_one(source, out, preview=True)
    map_one(source, out, areas=True)
    assert (out / 'scene_preview.png').exists()
    assert map_one(source, out, preview=True, areas=True).counts is None


def test_a_confidence_of_another_temperature_is_not_up_to_date(make_raster, tmp_path):
    source, out = make_raster(checkerboard(70, 60)), tmp_path / 'out'
    map_one(source, out, confidence=True, temperature=3)
    old = (out / 'scene_confidence.tif').read_bytes()
    map_one(source, out, overwrite=True)
    (out / 'scene_confidence.tif').write_bytes(old)  # as folders are that were mapped before
    assert map_one(source, out, confidence=True).counts is not None
    with rasterio.open(out / 'scene_confidence.tif') as raster:
        assert (raster.read(1) == round(100 * np.e / (np.e + 1))).all()
    assert map_one(source, out, confidence=True).counts is None


def test_a_run_that_is_killed_at_its_end_leaves_no_map_with_the_files_of_another(make_raster, tmp_path, monkeypatch):
    source, out, write = make_raster(checkerboard(70, 60)), tmp_path / 'out', map_files._write
    map_one(source, out, areas=True)
    first = counted(out)

    def killed(path, data):
        write(path, data)
        if path.name == 'scene_areas.csv':
            raise KeyboardInterrupt

    monkeypatch.setattr(map_files, '_write', killed)
    with pytest.raises(KeyboardInterrupt):
        map_one(source, out, (200,), areas=True, overwrite=True)
    monkeypatch.undo()
    assert map_one(source, out, areas=True).counts is not None
    assert pixels_of_first_class(out) == counted(out) == first


def write_png(path, pixels):
    cv2.imwrite(str(path), np.moveaxis(pixels, 0, -1))


@pytest.mark.filterwarnings('ignore::rasterio.errors.NotGeoreferencedWarning')
def test_files_beside_an_image_belong_to_its_version(tmp_path):
    source, out = tmp_path / 'scene.png', tmp_path / 'out'
    write_png(source, checkerboard(40, 50))
    (tmp_path / 'scene.pgw').write_text('0.5\n0\n0\n-0.5\n100\n200\n')
    map_one(source, out)
    (tmp_path / 'scene.png.aux.xml').write_text(  # as QGIS writes it where an image is looked at
        '<PAMDataset><PAMRasterBand band="1"><Histograms><HistItem><HistMin>0</HistMin></HistItem></Histograms>'
        '<Metadata><MDI key="STATISTICS_MAXIMUM">255</MDI></Metadata></PAMRasterBand></PAMDataset>'
    )
    assert map_one(source, out).counts is None
    nodata = '<PAMDataset><PAMRasterBand band="1"><NoDataValue>0</NoDataValue></PAMRasterBand></PAMDataset>'
    write_png(tmp_path / 'mask.png', np.full((1, 40, 50), 255, np.uint8))
    for name, content in {
        'scene.pgw': b'0.5\n0\n0\n-0.5\n900\n200\n',
        'scene.png.aux.xml': nodata.encode(),
        'scene.png.msk': (tmp_path / 'mask.png').read_bytes(),
    }.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match=r'scene_classes\.tif: exists and was made from another image'):
            map_one(source, out)
        assert map_one(source, out, overwrite=True).counts is not None
        assert map_one(source, out).counts is None
    with rasterio.open(out / 'scene_classes.tif') as raster:
        assert raster.transform.c == 900 - 0.25


def test_coefficients_beside_an_image_belong_to_its_version(make_raster, tmp_path):
    source, out, beside = make_raster(checkerboard(40, 50)), tmp_path / 'out', tmp_path / 'scene_RPC.TXT'
    map_one(source, out)
    for shift in (0, 1):
        names = ('LINE_OFF', 'SAMP_OFF', 'LAT_OFF', 'LONG_OFF', 'HEIGHT_OFF')
        lines = [f'{name}: {20 + shift}' for name in names]
        lines += [f'{name.replace("OFF", "SCALE")}: 1' for name in names]
        for name in ('LINE_NUM', 'LINE_DEN', 'SAMP_NUM', 'SAMP_DEN'):
            lines += [f'{name}_COEFF_{number}: 1' for number in range(1, 21)]
        beside.write_text('\n'.join(lines))
        with pytest.raises(InputError, match=r'scene_classes\.tif: exists and was made from another image'):
            map_one(source, out)
        assert map_one(source, out, overwrite=True).counts is not None
        assert map_one(source, out).counts is None
        with rasterio.open(out / 'scene_classes.tif') as raster:
            assert raster.rpcs.line_off == 20 + shift


def refuse(model, images, out, message, polygons=True, **options):
    with pytest.raises(InputError, match=message):
        list(map_rasters(model, images, out, MapOptions(polygons=polygons, **options)))
    assert model.batches == []
    assert not list(out.glob('*'))


def test_polygons_are_refused_before_any_image_is_mapped(make_raster, tmp_path):
    points = [rasterio.control.GroundControlPoint(row, col, col, row) for row, col in ((0, 0), (0, 40), (40, 0))]
    places = {
        'a': {'crs': 'EPSG:32633', 'transform': FLAT},
        'b': {'crs': 'EPSG:4326', 'transform': None, 'gcps': points},
        'c': {'crs': 'EPSG:4978', 'transform': FLAT},
        'd': {'crs': 'EPSG:4326', 'transform': Affine(1, 0, 500, 0, -1, 800)},
        'e': {'crs': 'EPSG:32633', 'transform': Affine(0, 0, 500_000, 0, 0, 4_600_000)},
    }
    path = {name: make_raster(checkerboard(40, 40), f'in/{name}.tif', **place) for name, place in places.items()}
    model, out = ColourThreshold(), tmp_path / 'out'
    for name, message in {
        'b': r'b\.tif: has control points or RPCs and no transform',
        'c': r'c\.tif: its reference system, EPSG:4978, is neither projected nor in degrees; give the file in one',
        'd': r'd\.tif: 540, 800 cannot be projected to metres on the ground; check its reference system',
        'e': r'e\.tif: its pixels have no area; check its transform',
    }.items():
        refuse(model, [path['a'], path[name]], out, message)
    refuse(model, [tmp_path / 'in'], out, r'of 5 images are unusable: .*b\.tif: has control points')
    for sign in ';!':
        named = make_raster(checkerboard(40, 40), f'x{sign}y.tif', **places['a'])
        refuse(model, [named], out, rf"x{sign}y\.tif: files of polygons cannot have '{sign}' in their name; rename it$")
    refuse(model, [path['a']], tmp_path / 'x!', r"x!: files of polygons cannot have '!' in their name; rename it$")
    refuse(model, [path['a']], out, '--min-area -1: give 0 or more', min_area=-1)
    refuse(model, [path['a']], out, '--simplify nan: give 0 or more', simplify=float('nan'))


def test_a_system_that_a_geotiff_cannot_hold_is_refused_before_any_image_is_mapped(make_raster, tmp_path):
    """Such as rotated poles: GDAL stores it beside the image, and a map would lose it."""
    rotated = CRS.from_string('+proj=ob_tran +o_proj=longlat +o_lon_p=0 +o_lat_p=39 +lon_0=18')
    path = make_raster(checkerboard(40, 40), crs=rotated, transform=Affine(0.01, 0, 10, 0, -0.01, 50))
    with rasterio.open(path) as raster:
        assert raster.crs == rotated
    message = r'scene\.tif: a GeoTIFF cannot hold its reference system; warp it first: gdalwarp -t_srs EPSG:CODE'
    refuse(ColourThreshold(), [path], tmp_path / 'out', message, polygons=False)


@pytest.mark.filterwarnings('ignore::rasterio.errors.NotGeoreferencedWarning')
@pytest.mark.parametrize(
    ('place', 'pixel', 'hectares'),
    [
        ({'crs': LOCAL, 'transform': FLAT}, (2 * 0.3048) ** 2, True),
        ({'crs': 'EPSG:32633', 'transform': None}, None, False),
        ({'crs': 'EPSG:3857', 'transform': Affine(2, 0, 1_450_000, 0, -2, 6_800_125)}, 4 * 0.379, False),
    ],
    ids=['a local system', 'a system without a transform', 'web Mercator'],
)
def test_areas_are_those_of_the_ground_or_unknown(make_raster, tmp_path, place, pixel, hectares):
    out = tmp_path / 'out'
    map_one(make_raster(checkerboard(40, 40), **place), out, polygons=True, areas=True)
    rows = list(csv.DictReader((out / 'scene_areas.csv').open()))
    assert [row['hectares'] != '' for row in rows] == [hectares] * 3
    meta, _, _, (_, _, areas, _) = pyogrio.raw.read(out / 'scene_polygons.gpkg', layer='scene_polygons')
    if pixel is None:
        assert np.isnan(areas).all()
        assert not meta['crs'] or 'ndefined' in meta['crs']
    else:
        assert areas.sum() == pytest.approx(1600 * pixel, rel=0.01)
        if hectares:
            assert sum(float(row['hectares']) for row in rows) == pytest.approx(1600 * pixel / 1e4, rel=0.01)


@pytest.mark.parametrize('name', ['[1] scene', '%41', '(1)', 'gpkg_scene', 'my scene', 'Straße'])
def test_any_name_of_an_image_becomes_a_layer(make_raster, tmp_path, name):
    source, out = make_raster(checkerboard(40, 40), f'{name}.tif'), tmp_path / 'out'
    assert map_one(source, out, polygons=True).counts is not None
    assert map_one(source, out, polygons=True).counts is None
    layers = pyogrio.list_layers(out / f'{name}_polygons.gpkg')[:, 0].tolist()
    assert layers[0].endswith(f'{name}_polygons')
