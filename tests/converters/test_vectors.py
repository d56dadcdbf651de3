"""From an image and polygons to patches, by the command line, on real files."""

import json
import re

import cv2
import numpy as np
import pyogrio
import pytest
import rasterio
import rasterio.warp
import shapely
from rasterio.transform import Affine

from projects.false.imagery.palettes import Palette, load_palette
from projects.false.mapping.pixel_rule import recorded_rule
from projects.false.vectors.polygon_file import PolygonFile
from tests.helpers.tools import main_of
from tests.helpers.vector_files import LEFT, TOP, UTM, box, write_vectors

PIXELS = np.random.default_rng(0).integers(1, 255, (3, 64, 96), dtype=np.uint8)


def write_image(path, pixels=PIXELS, **profile):
    count, height, width = pixels.shape
    place = {'crs': UTM, 'transform': Affine(0.5, 0, LEFT, 0, -0.5, TOP)} | profile
    with rasterio.open(path, 'w', 'GTiff', width, height, count, dtype=pixels.dtype, **place) as raster:
        raster.write(pixels)
    return path


def call(folder, *options, images='a.tif', labels=('a.gpkg',), out='out'):
    arguments = [images, *labels, out]
    paths = [str(folder / argument) for argument in arguments]
    return main_of('dataset_converters/vectors')(
        [*paths, '--class-field', 'class', '--patch-size', '32', '--workers', '1', *map(str, options)]
    )


def masks(folder):
    return {path.stem: cv2.imread(str(path), cv2.IMREAD_UNCHANGED) for path in sorted((folder / 'out/masks').iterdir())}


def lines(folder, name):
    path = folder / 'out' / 'splits' / f'{name}.txt'
    return path.read_text().split() if path.is_file() else None


@pytest.fixture
def sparse(tmp_path):
    """Labels in two of six patches, one polygon of two classes above the other, one line."""
    write_image(tmp_path / 'a.tif')
    shapes = [(box(0, 0, 8, 8), 'house'), (box(4, 4, 8, 8), 'tree'), (box(40, 40, 4, 4), 'tree'), (None, 'tree')]
    write_vectors(tmp_path / 'a.gpkg', shapes)
    return tmp_path


def test_sparse_labels(sparse, capsys):
    assert call(sparse) == 0
    said = ' '.join(capsys.readouterr().out.split())
    for text in ('1 features without geometry, left out',
                 "'house' and 'tree' overlap on 16 pixels, which become 'house'",
                 '4 patches without a label are only in splits/pretrain.txt', 'splits/test.txt, which .* is absent',
                 'wrote 6 patches'):  # fmt: skip
        assert re.search(text, said), text
    assert lines(sparse, 'train') == ['a_0_0', 'a_32_32']
    assert len(lines(sparse, 'pretrain')) == 6
    expected = np.full((32, 32), 255)
    expected[4:12, 4:12], expected[:8, :8] = 1, 0
    found = masks(sparse)
    assert (found['a_0_0'] == expected).all()
    assert (found['a_0_32'] == 255).all()
    description = json.loads((sparse / 'out/dataset.json').read_text())
    assert description['splits']['train']['pixels'] == {'house': 64, 'tree': 64}
    assert description['patches'][1]['split'] == 'pretrain'
    assert load_palette(sparse / 'out/dataset.json').classes == ('house', 'tree')
    image = cv2.imread(str(sparse / 'out/images/a_32_64.png'))[..., ::-1]
    assert (image == np.moveaxis(PIXELS, 0, -1)[32:, 64:]).all()


def test_ignored_labels_hide_what_they_cover_also_where_they_are_a_class(sparse, capsys):
    assert call(sparse, '--classes', 'house', 'tree', '--ignore', 'tree') == 0
    found = masks(sparse)
    assert (found['a_0_0'][4:8, 4:8] == 255).all()
    assert (found['a_0_0'] == 0).sum() == 64 - 16
    assert load_palette(sparse / 'out/dataset.json').classes == ('house', 'tree')
    assert call(sparse, '--classes', 'house', 'tree', '--ignore', 'house', 'tree', out='b') == 2
    assert '--ignore house tree: no class is left; leave one out' in capsys.readouterr().err


def test_images_for_testing_are_not_pretrained_on(tmp_path, capsys):
    (tmp_path / 'images').mkdir()
    write_image(tmp_path / 'images/a.tif')
    write_image(tmp_path / 'images/b.tif', transform=Affine(0.5, 0, LEFT + 100, 0, -0.5, TOP))
    write_vectors(tmp_path / 'a.gpkg', [(box(0, 0, 8, 8), 'house'), (box(40, 40, 8, 8), 'tree')])
    (tmp_path / 'test.txt').write_text('b\n')
    assert call(tmp_path, '--test-list', tmp_path / 'test.txt', images='images') == 0
    assert {name[0] for name in lines(tmp_path, 'pretrain')} == {'a'}
    assert {name[0] for name in lines(tmp_path, 'test')} == {'b'}
    assert len(lines(tmp_path, 'pretrain')) == 6


@pytest.mark.parametrize('option', ['--area', '--val-area', '--test-area'])
def test_an_area_holds_polygons_alone(sparse, option, capsys):
    write_vectors(sparse / 'plots.gpkg', [('POINT(500004 5000004)', 'house'), (box(0, 0, 8, 8), 'house')])
    assert call(sparse, option, sparse / 'plots.gpkg', '--buffer', 2) == 2
    assert re.search(
        r'plots\.gpkg: an area holds polygons alone, and this one holds 1 lines and points; widen them in QGIS',
        capsys.readouterr().err,
    )
    assert not (sparse / 'out').exists()


def test_a_mask_beside_an_image_belongs_to_its_version(sparse, capsys):
    assert call(sparse) == 0
    with rasterio.open(sparse / 'a.tif') as raster:
        shape = raster.shape
    cv2.imwrite(str(sparse / 'mask.png'), np.full(shape, 255, np.uint8))
    (sparse / 'mask.png').rename(sparse / 'a.tif.msk')
    assert call(sparse) == 2
    assert 'made with images_state' in capsys.readouterr().err


def test_the_same_call_is_done_before_and_edited_labels_are_seen(sparse, capsys):
    assert call(sparse) == call(sparse) == 0
    assert 'done before with the same arguments' in capsys.readouterr().out
    (sparse / 'a.gpkg').unlink()
    write_vectors(sparse / 'a.gpkg', [(box(0, 0, 9, 9), 'house'), (box(4, 4, 8, 8), 'tree')])
    assert call(sparse) == 2
    assert 'made with labels' in capsys.readouterr().err
    assert call(sparse, '--priority', 'tree', '--overwrite') == 0
    assert masks(sparse)['a_0_0'][4, 4] == 1


def test_an_image_that_moves_on_the_ground_is_noticed(sparse, capsys):
    assert call(sparse) == 0
    with rasterio.open(sparse / 'a.tif', 'r+') as raster:
        raster.transform = Affine(0.5, 0, LEFT + 20, 0, -0.5, TOP)
    assert call(sparse) == 2
    assert 'made with images_state' in capsys.readouterr().err


def test_areas_separate_the_splits_of_one_image(sparse, capsys):
    """A patch that touches the area is for testing, with labels inside of it alone; no training patch overlaps it."""
    write_vectors(sparse / 'all.gpkg', [(box(0, 0, 96, 64), 'tree')])
    write_vectors(sparse / 'test.gpkg', [(box(60, 0, 30, 64), None)])
    assert call(sparse, '--test-area', sparse / 'test.gpkg', '--stride', 16, labels=('all.gpkg',)) == 0
    assert 'left out 3 windows that overlap patches for validation or test' in ' '.join(capsys.readouterr().out.split())
    assert lines(sparse, 'train') == lines(sparse, 'pretrain') == ['a_0_0', 'a_16_0', 'a_32_0']
    inside = np.zeros((64, 96), bool)
    inside[:, 60:90] = True
    found = masks(sparse)
    assert sorted(lines(sparse, 'test')) == sorted(set(found) - set(lines(sparse, 'train')))
    for name in lines(sparse, 'test'):
        row, column = map(int, name.split('_')[1:])
        assert ((found[name] == 0) == inside[row : row + 32, column : column + 32]).all()


def test_an_area_without_a_patch_is_an_error(sparse, capsys):
    write_vectors(sparse / 'all.gpkg', [(box(0, 0, 96, 64), 'tree')])
    write_vectors(sparse / 'far.gpkg', [(box(0, 0, 9, 9, left=LEFT + 1e4), None)])
    write_vectors(sparse / 'near.gpkg', [(box(0, 0, 9, 9), None)])
    write_vectors(sparse / 'empty.gpkg', [(box(70, 0, 9, 9), None)])

    def refused(*options, labels=('all.gpkg',)):
        assert call(sparse, *options, labels=labels) == 2
        assert not (sparse / 'out').exists()
        return ' '.join(capsys.readouterr().err.split())

    for split in ('val', 'test'):
        assert re.search(r'far\.gpkg: no feature lies on .*a\.tif', refused(f'--{split}-area', sparse / 'far.gpkg'))
    same = refused('--val-area', sparse / 'near.gpkg', '--test-area', sparse / 'near.gpkg')
    assert re.search(r'near\.gpkg: no patch with data and a label is left for test; give another --test-area', same)
    unlabelled = refused('--val-area', sparse / 'empty.gpkg', labels=('a.gpkg',))
    assert re.search(r'empty\.gpkg: no patch with data and a label is left for val', unlabelled)


def test_sparse_labels_are_drawn_from_and_audited(sparse, capsys):
    write_vectors(sparse / 'a.gpkg', [(box(50, 50, 2, 2), 'house')], append=True)
    assert call(sparse) == 0
    data = str(sparse / 'out')
    assert main_of('split')([data, '--fractions', '0.5']) == 0
    assert len(lines(sparse, 'train_50pct')) == 1
    assert main_of('audit_labels')([data, '--out', str(sparse / 'audit'), '--workers', '1']) == 0
    counts = json.loads((sparse / 'audit/audit.json').read_text())
    assert 'no errors' in capsys.readouterr().out
    assert counts


def test_sixteen_bits_nodata_shrunk_and_several_images(tmp_path):
    pixels = np.random.default_rng(0).integers(1, 4000, (4, 64, 96), dtype=np.uint16)
    pixels[:, :10] = 0
    (tmp_path / 'images').mkdir()
    write_image(tmp_path / 'images/a.tif', pixels, nodata=0)
    write_image(tmp_path / 'images/b.tif', pixels, nodata=0, transform=Affine(0.5, 0, LEFT + 48, 0, -0.5, TOP))
    write_vectors(tmp_path / 'a.shp', [(box(0, 0, 200, 64), 'land')])
    write_vectors(tmp_path / 'b.geojson', [('POINT(13.0 52.4)', 'never')], 'EPSG:4326')
    (tmp_path / 'test.txt').write_text('b\n')
    options = ('--bands', 4, 3, 2, '--shrink', 2, '--test-list', tmp_path / 'test.txt', '--buffer', 3)
    assert call(tmp_path, *options, images='images', labels=('a.shp', 'b.geojson')) == 0
    assert set(lines(tmp_path, 'train')) == {'a_0_0', 'a_0_16'}
    assert set(lines(tmp_path, 'test')) == {'b_0_0', 'b_0_16'}
    mask = masks(tmp_path)['a_0_0']
    assert ((mask == 255) == (np.arange(32) < 5)[:, None]).all()
    rule = recorded_rule(tmp_path / 'out')  # by which maps read the same pixels
    assert rule.bands == (4, 3, 2)
    assert [high > low for low, high in rule.ranges] == [True] * 3


BAD = {
    'no class there': (['--classes', 'house'], r"a\.gpkg: class 'tree' is not among the classes given"),
    'elsewhere': (['--area', 'gone.gpkg'], r'gone\.gpkg: no such file'),
    'two palettes': (['--classes', 'house', '--palette', 'mbrsc'], '--palette names the classes already'),
    'nothing left': (['--ignore', 'house', 'tree'], '--ignore house tree: no class is left'),
    'priority': (['--priority', 'car'], '--priority car: is none of the classes house, tree'),
}


@pytest.mark.parametrize('case', BAD)
def test_bad_options_are_one_line(sparse, case, capsys):
    options, message = BAD[case]
    assert call(sparse, *options) == 2
    assert re.search(message, capsys.readouterr().err)
    assert not (sparse / 'out').exists()


def test_bad_places_are_one_line(sparse, capsys):
    write_vectors(sparse / 'far.gpkg', [(box(0, 0, 9, 9, left=LEFT + 1e4), 'house')])
    assert call(sparse, labels=('far.gpkg',)) == 2
    assert re.search(r'far\.gpkg: no feature lies on .*a\.tif; compare both in QGIS', capsys.readouterr().err)
    write_image(sparse / 'b.tif', crs=None)
    assert call(sparse, images='b.tif') == 2
    assert re.search(r'b\.tif: has no reference system and transform.* gdalwarp', capsys.readouterr().err)
    assert not (sparse / 'out').exists()


def test_a_reference_system_with_a_datum_shift_of_its_own_keeps_it(tmp_path):
    """Labels in degrees fall on the pixels that they were drawn on, and polygons of the map carry the shift."""
    system = rasterio.crs.CRS.from_string('+proj=utm +zone=33 +ellps=GRS80 +towgs84=100,100,100,0,0,0,0 +units=m')
    write_image(tmp_path / 'a.tif', crs=system)
    with rasterio.open(tmp_path / 'a.tif') as raster:
        system = raster.crs
    drawn = rasterio.warp.transform_geom(system, 'EPSG:4326', shapely.geometry.mapping(box(8, 4, 16, 8)))
    write_vectors(tmp_path / 'a.gpkg', [(shapely.geometry.shape(drawn), 'house')], 'EPSG:4326')
    assert call(tmp_path) == 0
    expected = np.full((32, 32), 255)
    expected[4:12, 8:24] = 0
    assert (masks(tmp_path)['a_0_0'] == expected).all()
    assert 'TOWGS84[100,100,100' in json.loads((tmp_path / 'out/dataset.json').read_text())['sources']['a']['crs']
    palette = Palette('one', ('house',), ((1, 2, 3),))
    polygons = PolygonFile(tmp_path / 'b.gpkg', 8, 8, palette, system, Affine(0.5, 0, LEFT, 0, -0.5, TOP))
    polygons.add(np.zeros((8, 8), np.uint8), np.full((8, 8), 90, np.uint8))
    polygons.write(lambda row, rows: np.zeros((rows, 8), np.uint8))
    assert '100,100,100' in pyogrio.read_info(tmp_path / 'b.gpkg', layer='b')['crs'].replace(' ', '')
