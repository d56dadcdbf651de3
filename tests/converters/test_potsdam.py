import json
import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from projects.false import InputError
from projects.false.converters.options import CutOptions
from projects.false.converters.potsdam import (
    TEST_TILES,
    TILE_SIDE,
    TRAIN_TILES,
    convert_potsdam,
    potsdam_pairs,
    split_tiles,
)
from projects.false.imagery.images import read_image
from projects.false.imagery.palettes import PALETTES
from projects.false.imagery.windows import grid
from tests.helpers.converter_inputs import blocks, potsdam_label, tiff, write_files, write_zip
from tests.helpers.tools import REPOSITORY

SHARED = Path(os.environ.get('FALSE_SHARED_DATA', REPOSITORY.parent / 'shared' / 'data'))
TILES = TRAIN_TILES + TEST_TILES
SMALL = CutOptions(patch_size=16, workers=2)


def others(*tiles):
    return [tile for tile in TILES if tile not in tiles]


def small_download(folder, bands='RGB', count=3, side=24, label='label'):
    """All 38 tiles, tiny, unpacked in the inner folders of the zips."""
    files = {}
    for number, tile in enumerate(TILES):
        index = blocks('potsdam', side, number, 4)
        image = np.random.default_rng(number).integers(0, 256, (side, side, count), np.uint8)
        files[f'2_Ortho_{bands}/top_potsdam_{tile}_{bands}.tif'] = tiff(image)
        files[f'5_Labels_all/top_potsdam_{tile}_{label}.tif'] = tiff(potsdam_label(index, number))
    write_files(folder, files)


def test_the_split_and_geometry_of_the_paper():
    """13,824 patches to train and 8,064 to test: 576 of each of the 38 tiles."""
    patches = len(grid(TILE_SIDE, TILE_SIDE, 256, 256))
    split_of = split_tiles((), ())
    counts = {split: patches * list(split_of.values()).count(split) for split in ('train', 'test')}
    assert counts == {'train': 13_824, 'test': 8_064}
    assert len(set(TILES)) == 38
    assert 'val' in split_tiles((), ('2_10',)).values()


@pytest.mark.slow
def test_a_real_sized_tile_straight_from_the_zips(tmp_path):
    """6000 x 6000 as downloaded: an inner folder in one zip and none in the other, cars at 252,255,0, one JPEG-like."""
    index = blocks('potsdam', 6000, per_side=20)
    image = potsdam_label(index) // 2
    write_zip(tmp_path / '2_Ortho_RGB.zip', {'2_Ortho_RGB/top_potsdam_6_7_RGB.tif': tiff(image)})
    label = potsdam_label(index)
    label[index == 4] = (252, 255, 0)
    label[:250, :250] = potsdam_label(index[:250, :250], seed=0)
    write_zip(tmp_path / '5_Labels_all.zip', {'top_potsdam_6_7_label.tif': tiff(label)})
    options = CutOptions(patch_size=256, workers=1)
    described = convert_potsdam(tmp_path, tmp_path / 'out', options, exclude=others('6_7')).description
    assert described['splits']['train']['patches'] == 576
    counts = dict(zip(described['classes'], np.bincount(cover(index).ravel(), minlength=6).tolist(), strict=True))
    assert described['splits']['train']['pixels'] == counts
    for name, row, column in (('top_potsdam_6_7_0_0', 0, 0), ('top_potsdam_6_7_5744_5632', 5744, 5632)):
        window = np.s_[row : row + 256, column : column + 256]
        mask = cv2.imread(str(tmp_path / f'out/masks/{name}.png'), cv2.IMREAD_UNCHANGED)
        np.testing.assert_array_equal(mask, index[window])
        np.testing.assert_array_equal(read_image(tmp_path / f'out/images/{name}.png')[..., ::-1], image[window])
    source = described['sources']['top_potsdam_6_7']
    assert source['image'].endswith('2_Ortho_RGB.zip/2_Ortho_RGB/top_potsdam_6_7_RGB.tif')
    assert (source['crs'], source['transform'][2]) == ('EPSG:32633', 366_000)
    assert sorted(os.listdir(tmp_path / 'out')) == ['dataset.json', 'images', 'masks', 'splits']


def cover(index):
    """The pixels of all patches, those that two patches share twice."""
    starts = [*range(0, 5744, 256), 5744]
    rows = np.concatenate([np.arange(start, start + 256) for start in starts])
    return index[np.ix_(rows, rows)]


def test_all_tiles_go_to_their_split_and_four_bands_stay(tmp_path):
    small_download(tmp_path / 'in', 'RGBIR', 4)
    described = convert_potsdam(tmp_path / 'in', tmp_path / 'out', SMALL, bands='rgbir', val_tiles=['2_11'])
    described = described.description
    assert {name: split['patches'] for name, split in described['splits'].items()} == {
        'train': 23 * 4,
        'val': 4,
        'test': 14 * 4,
        'train_1pct': 1,
    }
    tested = {
        patch['source'].removeprefix('top_potsdam_') for patch in described['patches'] if patch['split'] == 'test'
    }
    assert tested == set(TEST_TILES)
    assert described['bands'] == {'count': 4, 'names': ['red', 'green', 'blue', 'near infrared']}
    assert json.loads((tmp_path / 'out/dataset.json').read_text()) == described
    patch = read_image(tmp_path / 'out/images/top_potsdam_2_10_8_0.tif', bands=4)
    image = np.random.default_rng(0).integers(0, 256, (24, 24, 4), np.uint8)
    np.testing.assert_array_equal(patch, image[8:, :16, [2, 1, 0, 3]])
    assert (tmp_path / 'out/splits/val.txt').read_text().split() == [
        f'top_potsdam_2_11_{row}_{column}' for row in (0, 8) for column in (0, 8)
    ]


def test_labels_without_borders_have_names_of_their_own(tmp_path):
    small_download(tmp_path / 'in', label='label_noBoundary')
    options = CutOptions(patch_size=24, workers=1)
    with pytest.raises(InputError, match=r'0 labels top_potsdam_\*_label\.tif.*--labels'):
        convert_potsdam(tmp_path / 'in', tmp_path / 'out', options)
    described = convert_potsdam(tmp_path / 'in', tmp_path / 'out', options, labels='no-boundary').description
    assert described['sources']['top_potsdam_4_15']['mask'].endswith('top_potsdam_4_15_label_noBoundary.tif')


def test_equal_labels_in_two_zips_are_one_and_different_ones_an_error(tmp_path):
    label = tiff(potsdam_label(blocks('potsdam', 24)))
    write_files(tmp_path, {'top_potsdam_2_10_RGB.tif': tiff(np.zeros((24, 24, 3), np.uint8))})
    write_zip(tmp_path / '5_Labels_all.zip', {'top_potsdam_2_10_label.tif': label})
    write_zip(tmp_path / '5_Labels_for_participants.zip', {'deep/top_potsdam_2_10_label.tif': label})
    assert convert_potsdam(tmp_path, tmp_path / 'out', SMALL, exclude=others('2_10')).description['patches']
    write_zip(tmp_path / '5_Labels_for_participants.zip', {'deep/top_potsdam_2_10_label.tif': label + b' '})
    with pytest.raises(InputError, match='same name but other content'):
        convert_potsdam(tmp_path, tmp_path / 'other', SMALL, exclude=others('2_10'))


def test_names_in_capitals(tmp_path):
    small_download(tmp_path / 'in')
    for tile, kind in (('2_10', 'RGB'), ('2_11', 'label')):
        path = next((tmp_path / 'in').rglob(f'top_potsdam_{tile}_{kind}.tif'))
        path.rename(path.with_suffix('.TIF'))
    pairs = potsdam_pairs(tmp_path / 'in', TILES, 'rgb', 'all')
    assert (pairs[0].image.name, pairs[1].mask.name) == ('top_potsdam_2_10_RGB.TIF', 'top_potsdam_2_11_label.TIF')
    assert pairs[0].stem == 'top_potsdam_2_10'


@pytest.mark.skipif(not (SHARED / 'potsdam_samples').is_dir(), reason=f'no Potsdam in {SHARED}; set FALSE_SHARED_DATA')
def test_real_samples(tmp_path):
    """Real pixels: RGBIR tiles whose fourth band says that it is transparency."""
    samples = SHARED / 'potsdam_samples/rgbir_256'
    for tile, part in (('2_10', 36), ('2_13', 26)):
        for kind in ('RGBIR', 'label'):
            (tmp_path / f'top_potsdam_{tile}_{kind}.tif').symlink_to(samples / f'top_potsdam_{tile}_{kind}__{part}.tif')
    options = CutOptions(patch_size=128, workers=1)
    described = convert_potsdam(
        tmp_path, tmp_path / 'out', options, 'rgbir', exclude=others('2_10', '2_13')
    ).description
    assert [described['splits'][split]['patches'] for split in ('train', 'test')] == [4, 4]
    for split in ('train', 'test'):
        pixels = described['splits'][split]
        assert sum(pixels['pixels'].values()) + pixels['ignored_pixels'] == 256 * 256
        assert set(pixels['pixels']) == set(PALETTES['potsdam'].classes)
    assert all(10 < mean < 245 for mean in described['mean'])
