"""Maps of whole images, by a model whose answers are known, read back with rasterio."""

import csv
import json
import os
import tracemalloc
from pathlib import Path

import cv2
import numpy as np
import pytest
import rasterio
from rasterio.enums import ColorInterp
from rasterio.shutil import copy as copy_raster

from projects.false.common.errors import InputError
from projects.false.mapping.map_rasters import map_rasters
from projects.false.mapping.options import MapOptions
from projects.false.mapping.pixel_rule import PixelRule
from tests.helpers.colour_threshold import ColourThreshold, expected_classes
from tests.helpers.rasters import COEFFICIENTS, ROTATED, checkerboard
from tests.helpers.tools import REPOSITORY

GEOREF = Path(os.environ.get('FALSE_SHARED_DATA', REPOSITORY.parent / 'shared' / 'data'), 'georef')


def map_one(source, out, segmenter=None, **options):
    """Map one image and return its record and its classes."""
    (mapped,) = map_rasters(segmenter or ColourThreshold(), [source], out, MapOptions(**options))
    with rasterio.open(mapped.path) as raster:
        return mapped, raster.read(1)


@pytest.mark.parametrize('blend', ['smooth', 'uniform'])
@pytest.mark.parametrize('overlap', [0, 0.25, 0.5, 0.8])
@pytest.mark.parametrize('window', [1, 7, 32, 64, 300])
def test_the_map_is_exact_at_every_window_and_overlap(make_raster, tmp_path, window, overlap, blend):
    pixels = checkerboard(97, 131)[:, : 30 if window == 1 else 97, : 40 if window == 1 else 131]
    segmenter = ColourThreshold((60, 128, 200))
    _, classes = map_one(make_raster(pixels), tmp_path / 'out', segmenter, window=window, overlap=overlap, blend=blend)
    assert (classes == expected_classes(pixels[0], (60, 128, 200))).all()


@pytest.mark.parametrize(('height', 'width'), [(1, 1), (1, 100), (31, 33), (32, 32), (5, 300), (257, 16), (300, 517)])
def test_the_map_is_exact_at_every_size(make_raster, tmp_path, height, width):
    pixels = checkerboard(height, width, side=3)
    mapped, classes = map_one(make_raster(pixels), tmp_path / 'out', confidence=True)
    assert (classes == expected_classes(pixels[0])).all()
    assert mapped.counts.sum() == height * width


@pytest.mark.parametrize('batch_size', [1, 3, 1000])
@pytest.mark.parametrize('threads', [1, 4])
def test_batch_size_and_threads_do_not_matter(make_raster, tmp_path, batch_size, threads):
    pixels = checkerboard(200, 300)
    source = make_raster(pixels, tiled=True, blockxsize=64, blockysize=64)
    segmenter = ColourThreshold()
    mapped, classes = map_one(source, tmp_path / 'out', segmenter, batch_size=batch_size, threads=threads)
    assert (classes == expected_classes(pixels[0])).all()
    assert max(segmenter.batches) == min(batch_size, mapped.windows)
    assert sum(segmenter.batches) == mapped.windows == 12 * 18


@pytest.mark.parametrize('stored', [{}, {'tiled': True, 'blockxsize': 64, 'blockysize': 64}])
def test_bands_of_columns_do_not_change_a_byte(make_raster, tmp_path, stored):
    pixels = checkerboard(70, 331)
    pixels[:, 10:50, 120:300] = 0
    source, found = make_raster(pixels, nodata=0, **stored), {}
    for band in (1, 100, 2048):
        options = {'band': band, 'overlap': 0.6, 'batch_size': 3, 'confidence': True}
        mapped, _ = map_one(source, tmp_path / f'{band}', ColourThreshold((60, 128)), **options)
        maps = [path.read_bytes() for path in sorted((tmp_path / f'{band}').glob('*.tif'))]
        found[band] = maps, mapped.counts.tolist(), mapped.windows, mapped.skipped
        assert not [path for path in (tmp_path / f'{band}').iterdir() if path.is_dir()]
    assert found[1] == found[100] == found[2048]
    assert len(found[1][0]) == 2


def test_memory_does_not_depend_on_the_width(make_raster, tmp_path):
    peaks = {}
    for width in (1_500, 6_000):
        source = make_raster(np.zeros((3, 64, width), np.uint8), f'{width}.tif', tiled=True)
        tracemalloc.start()
        map_one(source, tmp_path / f'{width}', window=64, band=512, threads=1)
        peaks[width] = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    # map_one itself reads the map, and how many blocks wait for one another varies; in one band it is 3.6 times as much
    assert peaks[6_000] < 2 * peaks[1_500]


def test_the_map_lies_in_the_same_place(make_raster, tmp_path):
    source = make_raster(checkerboard(600, 300))
    mapped, _ = map_one(source, tmp_path / 'out', confidence=True)
    for path in (mapped.path, tmp_path / 'out' / 'scene_confidence.tif'):
        with rasterio.open(source) as image, rasterio.open(path) as raster:
            assert raster.crs == image.crs
            assert raster.transform == image.transform
            assert raster.shape == image.shape
            for place in ((0, 0), (599, 299), (17, 230)):
                assert np.abs(np.subtract(raster.xy(*place), ROTATED @ (place[1] + 0.5, place[0] + 0.5))).max() < 1e-6
            assert raster.nodata == 255
            assert raster.dtypes == ('uint8',)
            assert raster.compression.value == 'DEFLATE'
            assert raster.block_shapes == [(256, 256)]
            assert raster.overviews(1) == [2, 4]


def test_palette_and_class_names(make_raster, tmp_path):
    segmenter = ColourThreshold((60, 200))
    mapped, _ = map_one(make_raster(checkerboard(40, 40)), tmp_path / 'out', segmenter)
    with rasterio.open(mapped.path) as raster:
        assert raster.colorinterp == (ColorInterp.palette,)
        colors = raster.colormap(1)
        assert [colors[index] for index in range(3)] == [(*color, 255) for color in segmenter.palette.colors]
        assert colors[255] == (0, 0, 0, 0)
        assert json.loads(raster.tags()['CLASSES']) == {'0': 'class 0', '1': 'class 1', '2': 'class 2'}
    copy_raster(mapped.path, tmp_path / 'seen_by_gdal.vrt', driver='VRT')
    seen = (tmp_path / 'seen_by_gdal.vrt').read_text()
    assert [f'<Category>class {index}</Category>' in seen for index in range(4)] == [True, True, True, False]


def test_control_points_stay(tmp_path, make_raster):
    points = [
        rasterio.control.GroundControlPoint(row, col, 10.0 + col / 50, 50.0 - row / 50)
        for row, col in ((0, 0), (0, 40), (40, 0))
    ]
    source = make_raster(checkerboard(40, 40), transform=None, crs='EPSG:4326', gcps=points)
    mapped, _ = map_one(source, tmp_path / 'out')
    with rasterio.open(mapped.path) as raster:
        found, system = raster.gcps
        assert system.to_epsg() == 4326
        assert [(p.row, p.col, p.x, p.y) for p in found] == [(p.row, p.col, p.x, p.y) for p in points]


@pytest.mark.filterwarnings('ignore::rasterio.errors.NotGeoreferencedWarning')
@pytest.mark.parametrize('height', [40, 600])
def test_control_points_without_a_reference_system_stay(tmp_path, make_raster, height):
    source = make_raster(checkerboard(height, 40), transform=None, crs=None)
    points = [rasterio.control.GroundControlPoint(row, col, 10.0 + col, 50.0 - row) for row, col in ((0, 0), (9, 40))]
    points.append(rasterio.control.GroundControlPoint(height, 0, 10.0, 50.0 - height))
    with rasterio.open(source, 'r+') as raster:
        raster.gcps = points, rasterio.crs.CRS()
    mapped, _ = map_one(source, tmp_path / 'out', areas=True, confidence=True)
    for path in (mapped.path, tmp_path / 'out' / 'scene_confidence.tif'):
        with rasterio.open(path) as raster:
            found, system = raster.gcps
            assert not system
            assert [(p.row, p.col, p.x, p.y) for p in found] == [(p.row, p.col, p.x, p.y) for p in points]


@pytest.mark.filterwarnings('ignore::rasterio.errors.NotGeoreferencedWarning')
def test_no_reference_system(make_raster, tmp_path):
    source = make_raster(checkerboard(40, 40), crs=None, transform=None)
    mapped, _ = map_one(source, tmp_path / 'out', areas=True)
    with rasterio.open(mapped.path) as raster:
        assert raster.crs is None
        assert raster.transform.is_identity
    table = (tmp_path / 'out' / 'scene_areas.csv').read_text().splitlines()
    assert all(line.endswith(',') for line in table[1:])


def test_nodata_stays_nodata_and_costs_nothing(make_raster, tmp_path):
    pixels = checkerboard(200, 200) // 2 + 100
    pixels[:, 64:150] = 0
    pixels[:, :, 190:] = 0
    pixels[1, 5, 5] = 0  # nodata in one band is data, as in training
    segmenter = ColourThreshold()
    mapped, classes = map_one(make_raster(pixels, nodata=0), tmp_path / 'out', segmenter, confidence=True)
    expected = np.where((pixels == 0).all(axis=0), 255, expected_classes(pixels[0]))
    assert (classes == expected).all()
    assert mapped.skipped == 4 * 12  # the rows of windows at 64, 80, 96 and 112, which end by row 144
    assert mapped.windows == 12 * 12 - mapped.skipped == sum(segmenter.batches)
    with rasterio.open(tmp_path / 'out' / 'scene_confidence.tif') as raster:
        confidence = raster.read(1)
    assert ((confidence == 255) == (expected == 255)).all()


def test_an_image_without_data(make_raster, tmp_path):
    segmenter = ColourThreshold()
    mapped, classes = map_one(make_raster(np.zeros((3, 70, 90), np.uint8), nodata=0), tmp_path / 'out', segmenter)
    assert (classes == 255).all()
    assert mapped.windows == 0
    assert segmenter.batches == []


@pytest.mark.parametrize('blend', ['smooth', 'uniform'])
def test_confidence_is_the_softmax_of_the_mean_logits(make_raster, tmp_path, blend):
    map_one(make_raster(checkerboard(70, 90)), tmp_path / 'out', confidence=True, overlap=0.4, blend=blend)
    with rasterio.open(tmp_path / 'out' / 'scene_confidence.tif') as raster:
        assert (raster.read(1) == round(100 * np.e / (np.e + 1))).all()


def test_areas_add_up(make_raster, tmp_path):
    pixels = checkerboard(50, 60)
    pixels[:, :10] = 0
    map_one(make_raster(pixels, nodata=0), tmp_path / 'out', areas=True)
    rows = list(csv.DictReader((tmp_path / 'out' / 'scene_areas.csv').open()))
    assert [row['class'] for row in rows] == ['class 0', 'class 1', 'nodata']
    lacking = (pixels == 0).all(axis=0)
    low = (expected_classes(pixels[0]) == 0) & ~lacking
    assert int(rows[0]['pixels']) == low.sum()
    assert sum(int(row['pixels']) for row in rows) == 50 * 60
    assert float(rows[0]['hectares']) == pytest.approx(low.sum() * 0.3 * 0.3 / 1e4, abs=1e-4)
    assert float(rows[0]['percent']) + float(rows[1]['percent']) == pytest.approx(100, abs=1e-3)


def test_sixteen_bit_with_the_recorded_stretch(make_raster, tmp_path):
    pixels = checkerboard(40, 50).astype(np.uint16) * 20 + 1000
    source = make_raster(pixels)
    recorded = PixelRule((1, 2, 3), ((1000, 6100), (1000, 6100), (1000, 6100)))
    _, classes = map_one(source, tmp_path / 'out', recorded=recorded)
    assert (classes == expected_classes(checkerboard(40, 50)[0])).all()
    _, classes = map_one(source, tmp_path / 'range', value_range=(1000, 6100))
    assert (classes == expected_classes(checkerboard(40, 50)[0])).all()
    with pytest.raises(InputError, match=r'scene.tif: pixels are uint16.*--range LOW HIGH.*--data'):
        map_one(source, tmp_path / 'none')


def test_bands(make_raster, tmp_path):
    pixels = np.concatenate([checkerboard(40, 40), checkerboard(40, 40, seed=1)[:1]])
    source = make_raster(pixels, alpha='no')
    _, classes = map_one(source, tmp_path / 'four', ColourThreshold(bands=4))
    assert (classes == expected_classes(pixels[0])).all()
    _, classes = map_one(source, tmp_path / 'chosen', bands=[4, 1, 2])
    assert (classes == expected_classes(pixels[3])).all()
    with pytest.raises(InputError, match='has 4 bands, the model takes 3; say which'):
        map_one(source, tmp_path / 'none')
    with pytest.raises(InputError, match='no band 5'):
        map_one(source, tmp_path / 'none', bands=[5, 1, 2])
    with pytest.raises(InputError, match='the model takes 3 band'):
        map_one(source, tmp_path / 'none', bands=[1, 2])


def test_an_alpha_band_marks_nodata(make_raster, tmp_path):
    pixels = np.concatenate([checkerboard(40, 40), np.full((1, 40, 40), 255, np.uint8)])
    pixels[3, :9] = 0
    _, classes = map_one(make_raster(pixels, photometric='rgb', alpha='yes'), tmp_path / 'out')
    assert (classes[:9] == 255).all()
    assert (classes[9:] == expected_classes(pixels[0])[9:]).all()


@pytest.mark.parametrize('suffix', ['.png', '.jpg'])
def test_pictures(tmp_path, suffix):
    pixels = checkerboard(40, 50, side=8)
    path = tmp_path / f'scene{suffix}'
    cv2.imwrite(str(path), np.moveaxis(pixels, 0, -1)[..., ::-1])
    red = cv2.imread(str(path))[..., 2]
    _, classes = map_one(path, tmp_path / 'out')
    assert (classes == expected_classes(red)).all()


def test_a_folder_and_a_mosaic(make_raster, tmp_path):
    left, right = checkerboard(40, 30), checkerboard(40, 30, seed=1)
    flat = {'transform': rasterio.Affine(1, 0, 0, 0, -1, 40)}
    make_raster(left, 'scenes/left.tif', **flat)
    make_raster(right, 'scenes/deep/right.tif', transform=rasterio.Affine(1, 0, 30, 0, -1, 40))
    copy_raster(tmp_path / 'scenes' / 'left.tif', tmp_path / 'scenes' / 'both.vrt', driver='VRT')
    text = (tmp_path / 'scenes' / 'both.vrt').read_text().replace('rasterXSize="30"', 'rasterXSize="60"')
    for band in (1, 2, 3):
        end = f'<SourceBand>{band}</SourceBand>'
        first = text.index(end)
        start, stop = text.rindex('<SimpleSource', 0, first), text.index('</SimpleSource>', first) + 15
        source = text[start:stop].replace('left.tif', 'deep/right.tif')
        at = source.index('<DstRect')
        source = source[:at] + source[at:].replace('xOff="0"', 'xOff="30"', 1)
        text = text[:stop] + source + text[stop:]
    (tmp_path / 'scenes' / 'both.vrt').write_text(text)
    done = {m.path.name: m.path for m in map_rasters(ColourThreshold(), [tmp_path / 'scenes'], tmp_path / 'out')}
    assert sorted(done) == ['both_classes.tif', 'left_classes.tif', 'right_classes.tif']
    with rasterio.open(done['both_classes.tif']) as raster:
        assert (raster.read(1) == expected_classes(np.concatenate([left[0], right[0]], axis=1))).all()


def test_preview_shows_image_map_and_legend(make_raster, tmp_path):
    pixels = checkerboard(60, 80, side=20)
    segmenter = ColourThreshold()
    map_one(make_raster(pixels), tmp_path / 'out', segmenter, preview=True)
    picture = cv2.imread(str(tmp_path / 'out' / 'scene_preview.png'))[..., ::-1]
    assert (picture[10:70, 10:90] == np.moveaxis(pixels, 0, -1)).all()
    colors = np.array(segmenter.palette.colors, np.uint8)
    assert (picture[10:70, 100:180] == colors[expected_classes(pixels[0])]).all()
    legend = picture[72:].reshape(-1, 3)
    assert all((legend == color).all(axis=1).any() for color in colors)


def test_preview_of_a_large_image_is_made_part_by_part(make_raster, tmp_path):
    pixels = checkerboard(2500, 40, side=50)
    map_one(make_raster(pixels), tmp_path / 'out', preview=True)
    picture = cv2.imread(str(tmp_path / 'out' / 'scene_preview.png'))[..., ::-1]
    rows = (np.arange(512) + 0.5) * 2500 / 512
    clear = (rows % 50 > 5) & (rows % 50 < 45)  # away from the edges of the squares
    expected = np.moveaxis(pixels, 0, -1)[rows.astype(int), 2]
    assert (picture[10:522, 10][clear] == expected[clear]).all()


def test_flipped_windows_come_back_unflipped(make_raster, tmp_path):
    pixels = checkerboard(70, 90)
    segmenter = ColourThreshold()
    mapped, classes = map_one(make_raster(pixels), tmp_path / 'out', segmenter, flip=True)
    assert (classes == expected_classes(pixels[0])).all()
    assert sum(segmenter.batches) == 4 * mapped.windows


@pytest.mark.skipif(not GEOREF.is_dir(), reason='needs the GeoTIFFs in ../shared/data/georef; set FALSE_SHARED_DATA')
def test_real_imagery_keeps_its_place_and_its_nodata(tmp_path):
    images = sorted(GEOREF.glob('*_rgb_*.tif'))
    done = list(map_rasters(ColourThreshold((100, 180)), images, tmp_path / 'out', MapOptions(window=128)))
    assert len(done) == len(images) >= 2
    for mapped in done:
        source = GEOREF / mapped.path.name.replace('_classes', '')
        with rasterio.open(source) as image, rasterio.open(mapped.path) as raster:
            assert (raster.crs, raster.transform, raster.shape) == (image.crs, image.transform, image.shape)
            pixels, classes = image.read(), raster.read(1)
            empty = np.zeros(image.shape, bool) if image.nodata is None else (pixels == image.nodata).all(axis=0)
        assert (classes == np.where(empty, 255, expected_classes(pixels[0], (100, 180)))).all()


def test_coefficients_reach_the_map(make_raster, tmp_path):
    source = make_raster(checkerboard(30, 40), rpcs=COEFFICIENTS)
    mapped, _ = map_one(source, tmp_path / 'out')
    with rasterio.open(mapped.path) as raster:
        found, given = raster.rpcs.to_dict(), COEFFICIENTS.to_dict()
    assert all(found[key] == value for key, value in given.items() if 'err' not in key)


def test_files_that_are_not_mapped_are_named(make_raster, tmp_path):
    make_raster(checkerboard(30, 40), 'in/a.tif')
    (tmp_path / 'in' / 'b.ecw').write_bytes(b'ecw')
    notes = []
    list(map_rasters(ColourThreshold(), [tmp_path / 'in'], tmp_path / 'out', note=notes.append))
    assert [note.replace(str(tmp_path), '') for note in notes] == [
        'left out 1 file: /in/b.ecw (no imagery that is read here)'
    ]
