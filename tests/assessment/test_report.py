"""Maps assessed by filled places and by rasters, and what is written of it."""

import json

import cv2
import numpy as np
import pytest
import rasterio
from rasterio.crs import CRS
from rasterio.transform import Affine
from rasterio.vrt import WarpedVRT
from rasterio.warp import Resampling, reproject

from projects.false.assessment.class_map import ClassMap
from projects.false.assessment.report import as_json, assess_map, remarks, sample_places, table_of, write_assessment
from projects.false.common.errors import InputError
from tests.helpers.class_maps import PLACE, made_classes, write_map


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """``truth.tif`` and ``a_classes.tif``, a map that errs."""
    folder, truth = tmp_path_factory.mktemp('maps'), made_classes(300, 400)
    found, generator = truth.copy(), np.random.default_rng(1)
    wrong = (generator.random(truth.shape) < 0.15) & (truth != 255)
    found[wrong] = generator.integers(0, 3, wrong.sum())
    truth[:40] = 255
    write_map(folder / 'truth.tif', truth)
    write_map(folder / 'a_classes.tif', found)
    return folder


def exact(folder):
    with rasterio.open(folder / 'truth.tif') as truth, rasterio.open(folder / 'a_classes.tif') as found:
        true, mapped = truth.read(1), found.read(1)
    known = (true != 255) & (mapped != 255)
    return np.bincount(mapped[known] * 3 + true[known], minlength=9).reshape(3, 3), known.sum() / (mapped != 255).sum()


def test_a_raster_of_true_classes_is_compared_as_a_whole(folder):
    found = assess_map(folder / 'a_classes.tif', folder / 'truth.tif')
    matrix, known = exact(folder)
    assert (found.estimates.counts == matrix).all()
    assert found.estimates.overall.value == pytest.approx(matrix.trace() / matrix.sum())
    assert not found.estimates.area.error.any()
    assert found.unknown == pytest.approx(1 - known)
    assert 'the numbers are exact for that area' in ' '.join(remarks(found, 0.95))


def test_a_sample_of_the_raster_agrees_within_its_intervals(folder):
    matrix, _ = exact(folder)
    found = assess_map(folder / 'a_classes.tif', folder / 'truth.tif', 300, seed=4)
    assert found.estimates.counts.sum() == 300
    area, error = found.estimates.area
    assert (np.abs(area - matrix.sum(axis=0) / matrix.sum()) < 4 * error).all()
    assert (error > 0).all()


def test_a_raster_on_another_grid(folder, tmp_path):
    with rasterio.open(folder / 'truth.tif') as raster:
        moved = np.full((700, 900), 255, np.uint8)
        place = {'crs': 'EPSG:32633', 'transform': Affine(1, 0, 499_990, 0, -1, 4_600_020)}
        source = {'src_transform': raster.transform, 'src_crs': raster.crs, 'src_nodata': 255}
        target = {'dst_transform': place['transform'], 'dst_crs': place['crs'], 'dst_nodata': 255}
        reproject(raster.read(1), moved, **source, **target, resampling=Resampling.nearest)
    write_map(tmp_path / 'fine.tif', moved, place)
    found = assess_map(folder / 'a_classes.tif', tmp_path / 'fine.tif')
    assert (found.estimates.counts == exact(folder)[0]).all()


@pytest.mark.parametrize('step', [2, 1], ids=['the same grid', 'another grid'])
@pytest.mark.parametrize('nodata', [None, 1])
@pytest.mark.parametrize('kind', ['uint8', 'int16'])
def test_what_a_mask_hides_is_unknown(folder, tmp_path, step, nodata, kind):
    with rasterio.open(folder / 'truth.tif') as raster:
        true, place = raster.read(1), raster.profile
    mask = np.full(true.shape, 255, np.uint8)
    mask[:, 100:] = 0
    known = (true != 255) & (mask > 0) & (true != (255 if nodata is None else nodata))
    repeat = 2 // step
    true, mask = (values.repeat(repeat, 0).repeat(repeat, 1) for values in (true, mask))
    place |= {'height': true.shape[0], 'width': true.shape[1], 'transform': Affine(step, 0, 5e5, 0, -step, 4.6e6)}
    place |= {'nodata': nodata, 'dtype': kind}
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(tmp_path / 'masked.tif', 'w', **place) as raster:
        raster.write(true.astype(kind), 1)
        raster.write_mask(mask)
    with rasterio.open(folder / 'a_classes.tif') as raster:
        mapped = raster.read(1)
    counts = assess_map(folder / 'a_classes.tif', tmp_path / 'masked.tif').estimates.counts
    assert counts.sum() == (known & (mapped != 255)).sum()


@pytest.mark.parametrize(
    'place',
    [
        {**PLACE, 'transform': Affine(2.000_01, 0, 500_000.004, 0, -2.000_01, 4_600_000.004)},
        {'transform': PLACE['transform']},
        {'crs': 'EPSG:32633'},
        {},
    ],
    ids=['corners that formats round', 'no reference system', 'no transform', 'neither'],
)
@pytest.mark.filterwarnings('ignore::rasterio.errors.NotGeoreferencedWarning')
def test_a_raster_of_the_size_of_the_map_lies_on_it_unless_it_says_otherwise(folder, tmp_path, place):
    with rasterio.open(folder / 'truth.tif') as raster:
        write_map(tmp_path / 'truth.tif', raster.read(1), place)
    with ClassMap(folder / 'a_classes.tif', tmp_path / 'truth.tif') as opened:
        assert opened._reference.count == 1
        assert not isinstance(opened._reference, WarpedVRT)
    found = assess_map(folder / 'a_classes.tif', tmp_path / 'truth.tif')
    assert (found.estimates.counts == exact(folder)[0]).all()


def test_small_pixels_are_compared_by_their_own_size(folder, tmp_path):
    """One pixel of 1e-6 degrees is one pixel away from the grid, although the numbers hardly differ."""
    side, classes = 1e-6, made_classes(30, 40)
    write_map(tmp_path / 'a_classes.tif', classes, {'crs': 'EPSG:4326', 'transform': Affine(side, 0, 15, 0, -side, 41)})
    moved = Affine(side, 0, 15 + side, 0, -side, 41)
    write_map(tmp_path / 'moved.tif', classes, {'crs': 'EPSG:4326', 'transform': moved})
    with ClassMap(tmp_path / 'a_classes.tif', tmp_path / 'moved.tif') as opened:
        assert isinstance(opened._reference, WarpedVRT)
        assert (opened.read(0, 0).reference[:, 9:] == classes[:, 8:-1]).all()


@pytest.mark.parametrize(
    ('place', 'hectares'),
    [
        (PLACE, 4e-4),
        ({'crs': 'EPSG:32633'}, None),
        ({'crs': 'EPSG:3857', 'transform': Affine(2, 0, 1_450_000, 0, -2, 6_800_125)}, None),
        ({'crs': 'EPSG:4326', 'transform': Affine(1e-5, 0, 15, 0, -1e-5, 41)}, None),
    ],
    ids=['UTM', 'no transform', 'web Mercator', 'degrees'],
)
def test_areas_are_hectares_only_where_a_pixel_has_one_area(tmp_path, place, hectares):
    path = write_map(tmp_path / 'a_classes.tif', made_classes(30, 40), place)
    assert assess_map(path, path).hectares == hectares


def test_rasters_that_do_not_fit(folder, tmp_path):
    path = folder / 'a_classes.tif'
    write_map(tmp_path / 'small.tif', made_classes(30, 40), place={})
    with pytest.raises(InputError, match=r'another size or place than .*, and .*small\.tif has no reference system'):
        assess_map(path, tmp_path / 'small.tif')
    write_map(tmp_path / 'unplaced.tif', made_classes(30, 40), {'crs': 'EPSG:32633'})
    with pytest.raises(InputError, match=r'unplaced\.tif has no transform; give it one with gdalwarp or gdal_edit\.py'):
        assess_map(path, tmp_path / 'unplaced.tif')
    local = 'LOCAL_CS["Site",LOCAL_DATUM["Site",0],UNIT["metre",1],AXIS["X",EAST],AXIS["Y",NORTH]]'
    for system, message in (
        (
            CRS.from_wkt(local),
            r'site\.tif: its reference system, Site, cannot be projected to EPSG:32633; give all',
        ),
        ('EPSG:4978', r'site\.tif: its reference system, EPSG:4978, is neither projected nor in degrees'),
    ):
        write_map(tmp_path / 'site.tif', made_classes(30, 40), {**PLACE, 'crs': system})
        with pytest.raises(InputError, match=message):
            assess_map(path, tmp_path / 'site.tif')
    write_map(tmp_path / 'far.tif', made_classes(30, 40), {**PLACE, 'transform': Affine(2, 0, 0, 0, -2, 0)})
    with pytest.raises(InputError, match='has no labelled pixel on the map'):
        assess_map(path, tmp_path / 'far.tif')
    write_map(tmp_path / 'more.tif', np.full((300, 400), 7, np.uint8))
    with pytest.raises(InputError, match=r'more.tif: holds the value 7, which is no class'):
        assess_map(path, tmp_path / 'more.tif')


def test_places_with_pictures(folder, make_raster, tmp_path):
    pixels = np.zeros((4, 300, 400), np.uint16)
    pixels[0], pixels[3] = 3000, np.arange(400)
    image = make_raster(pixels, transform=PLACE['transform'])
    sizes = sample_places(folder / 'a_classes.tif', tmp_path / 'out', 30, least=8, image=image)
    assert list(sizes) == ['water', 'field', 'Wald, dicht']
    assert sum(sizes.values()) == 30
    text = (tmp_path / 'out' / 'places.html').read_text()
    assert text.count('<figure') == 30
    assert 'Classes: water, field, Wald, dicht.' in text
    assert 'src="http' not in text
    with pytest.raises(InputError, match=r'places.gpkg: exists and may be filled in'):
        sample_places(folder / 'a_classes.tif', tmp_path / 'out', 30)
    with pytest.raises(InputError, match='has 20 x 10 pixels, the map 400 x 300; give the image that was mapped'):
        sample_places(folder / 'a_classes.tif', tmp_path / 'b', 30, image=make_raster(pixels[:, :10, :20], 'b.tif'))
    assert not (tmp_path / 'b').exists()
    sample_places(folder / 'a_classes.tif', tmp_path / 'out', 30, least=8, seed=1, overwrite=True)
    assert not (tmp_path / 'out' / 'places.html').exists()  # it showed other places


def test_what_is_written(folder, tmp_path):
    found = assess_map(folder / 'a_classes.tif', folder / 'truth.tif', 200)
    write_assessment(tmp_path, found, 0.9, 'a')
    content = json.loads((tmp_path / 'assessment.json').read_text())
    water = content['classes']['water']
    assert content['level'] == 0.9
    assert water['share']['low'] < water['share']['value'] < water['share']['high']
    assert water['hectares']['value'] == pytest.approx(water['share']['value'] * content['pixels'] * 4e-4)
    assert np.sum(content['matrix']['counts']) == 200
    assert cv2.imread(str(tmp_path / 'assessment.png')).ndim == 3
    wide = json.loads(as_json(found, 0.99))['classes']['water']['share']
    assert wide['high'] > water['share']['high']
    assert table_of(found, 0.9).row_count == 3


def test_places_belong_to_points_only(folder, tmp_path):
    sample_places(folder / 'a_classes.tif', tmp_path, 30)
    with pytest.raises(InputError, match='has its places already; leave --sample out'):
        assess_map(folder / 'a_classes.tif', tmp_path / 'places.gpkg', 30)
    with pytest.raises(InputError, match='no place on the map has a reference'):
        assess_map(folder / 'a_classes.tif', tmp_path / 'places.gpkg')
