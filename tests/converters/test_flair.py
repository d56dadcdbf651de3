"""Both layouts as they are on the disk: five-band GeoTIFFs with classes from 1, and JPEGs with an index."""

import os
import unicodedata
from pathlib import Path

import cv2
import numpy as np
import pytest
import rasterio

from projects.false import InputError
from projects.false.converters.flair import (
    PUBLISHED_CLASSES,
    REDUCED_CLASSES,
    convert_flair,
    indexed_tiles,
    published_tiles,
)
from projects.false.converters.flair_splits import SIDE
from projects.false.converters.options import CutOptions
from projects.false.imagery.palettes import PALETTES
from tests.helpers.converter_inputs import jpeg, png, tiff, write_files, write_zip
from tests.helpers.tools import REPOSITORY

SMALL = CutOptions(patch_size=16, workers=1, label_fractions=(0.5,))
SHARED = Path(os.environ.get('FALSE_SHARED_DATA', REPOSITORY.parent / 'shared' / 'data'))
PUBLISHED_NAMES = (
    *('building', 'pervious surface', 'impervious surface', 'bare soil', 'water', 'coniferous', 'deciduous'),
    *('brushwood', 'vineyard', 'herbaceous vegetation', 'agricultural land', 'plowed land', 'swimming pool', 'snow'),
    *('clear cut', 'mixed', 'ligneous', 'greenhouse', 'other'),
)
GROUP = {
    'pervious surface': 'open soil',
    'bare soil': 'open soil',
    'coniferous': 'trees',
    'deciduous': 'trees',
    'plowed land': 'agricultural land',
}


def noise(bands, side=32, seed=0):
    """Smooth enough for JPEG."""
    pixels = np.random.default_rng(seed).integers(0, 250, (4, 4, bands), np.uint8)
    return cv2.resize(pixels, (side, side)).reshape(side, side, bands)


def published(folder, *zones, number=1):
    """Two images per zone in the folders of the download; returns pixels and masks by stem."""
    made, place = {}, rasterio.Affine(0.2, 0, 700_000, 0, -0.2, 6_200_000)
    for zone in zones:
        for _ in range(2):
            image = noise(5, seed=number)
            mask = np.random.default_rng(number).integers(1, 20, (32, 32), np.uint8)
            options = {'crs': 'EPSG:2154', 'transform': place}
            files = {
                f'flair_aerial_train/{zone}/img/IMG_{number:06}.tif': tiff(image, **options),
                f'flair_labels_train/{zone}/msk/MSK_{number:06}.tif': tiff(mask, **options),
            }
            write_files(folder, files)
            made[f'{zone.replace("/", "_")}_{number:06}'] = image, mask
            number += 1
    return made


def reduced(folder, change=lambda rows: rows):
    """Zone A: 2 columns and 6 rows in the pool, one unused row, a test row in the north; zone B: a pool image."""
    rows = [
        (f'D034_2021_Z1_A_{10 * row + column:06}', 'Z1_A', column * SIDE, row * SIDE, 'val' if row == 7 else 'pool')
        for row in (0, 1, 2, 3, 4, 5, 7)
        for column in (0, 1)
    ]
    rows.append(('D034_2021_Z2_B_000099', 'Z2_B', 5000.0, 0.0, 'pool'))
    masks = {}
    for number, (name, *_) in enumerate(rows):
        masks[name] = np.random.default_rng(number).integers(0, 13, (32, 32), np.uint8)
        files = {f'images/{name}.jpg': jpeg(noise(3, seed=number)), f'masks/{name}.png': png(masks[name])}
        write_files(folder, files)
    lines = ['name,zone,x0,y0,split', *(','.join(map(str, row)) for row in change(rows))]
    write_files(folder, {'index.csv': '\n'.join(lines).encode()})
    return masks


def numbers(described, split):
    """Numbers of the images of a split, as in their names."""
    return sorted({int(p['source'].rsplit('_', 1)[1]) for p in described['patches'] if p['split'] == split})


def read(path):
    return cv2.imread(str(path), cv2.IMREAD_UNCHANGED)


def test_both_numberings_lead_to_the_same_classes():
    classes = PALETTES['flair'].classes
    for value, name in enumerate(PUBLISHED_NAMES, start=1):
        group = GROUP.get(name, name)
        assert PUBLISHED_CLASSES[value] == (classes.index(group) if value <= 12 else 255)
        assert REDUCED_CLASSES[min(value - 1, 12)] == PUBLISHED_CLASSES[value]
    assert len(PUBLISHED_CLASSES) == 19
    assert len(REDUCED_CLASSES) == 13


@pytest.mark.parametrize('bands', ['rgb', 'rgbir'])
def test_published_files_by_domain_and_zone(tmp_path, bands):
    made = published(tmp_path / 'in', 'D034_2021/Z4_UU', 'D034_2021/Z14_UA', 'D004_2021/Z1_NN', 'D012_2019/Z1_NN')
    zones = {'val_zones': ['D034_2021_Z14_UA'], 'test_zones': ['D012*']}
    described = convert_flair(tmp_path / 'in', tmp_path / 'out', SMALL, bands, **zones).description
    found = [numbers(described, split) for split in ('train', 'val', 'test')]
    assert found == [[1, 2, 5, 6], [3, 4], [7, 8]]
    assert not (tmp_path / 'out/unused_images.txt').exists()
    assert described['bands']['names'] == ['red', 'green', 'blue', *(['near infrared'] if bands == 'rgbir' else [])]
    assert described['sources']['D034_2021_Z4_UU_000001']['crs'] == 'EPSG:2154'
    image, mask = made['D034_2021_Z4_UU_000001']
    name = 'D034_2021_Z4_UU_000001_0_16'
    if bands == 'rgb':
        pixels = read(tmp_path / f'out/images/{name}.png')[..., ::-1]
    else:
        with rasterio.open(tmp_path / f'out/images/{name}.tif') as raster:
            pixels = np.moveaxis(raster.read(), 0, -1)
    np.testing.assert_array_equal(pixels, image[:16, 16:, : len(described['bands']['names'])])
    expected = np.vectorize(PUBLISHED_CLASSES.get)(mask[:16, 16:])
    np.testing.assert_array_equal(read(tmp_path / f'out/masks/{name}.png'), expected)


def test_published_files_in_zips_and_a_choice_of_training_zones(tmp_path):
    published(tmp_path / 'plain', 'D034_2021/Z4_UU', 'D004_2021/Z1_NN', 'D006_2020/Z1_NN')
    files = {str(p.relative_to(tmp_path / 'plain')): p.read_bytes() for p in (tmp_path / 'plain').rglob('*.tif')}
    for kind in ('aerial', 'labels'):
        inside = {name: data for name, data in files.items() if kind in name}
        write_zip(tmp_path / f'in/flair_{kind}_train.zip', inside)
    zones = {'train_zones': ['Z4_UU'], 'test_zones': ['D004_2021']}
    described = convert_flair(tmp_path / 'in', tmp_path / 'out', SMALL, **zones).description
    assert [numbers(described, split) for split in ('train', 'val', 'test')] == [[1, 2], [], [3, 4]]
    unused = (tmp_path / 'out/unused_images.txt').read_text().split()
    assert unused == ['D006_2020_Z1_NN_000005', 'D006_2020_Z1_NN_000006']


def test_published_files_with_names_in_capitals(tmp_path):
    published(tmp_path / 'in', 'D034_2021/Z4_UU', 'D004_2021/Z1_NN')
    for path in sorted((tmp_path / 'in').rglob('*_00000[13].tif')):
        path.rename(path.with_suffix('.TIF'))
    assert [tile.pair.stem[-6:] for tile in published_tiles(tmp_path / 'in')] == [
        '000003',
        '000004',
        '000001',
        '000002',
    ]


def test_an_index_finds_files_in_capitals_and_in_another_unicode_form(tmp_path):
    composed, decomposed = (unicodedata.normalize(form, 'é') for form in ('NFC', 'NFD'))
    reduced(tmp_path, lambda rows: [(composed if '_000099' in row[0] else row[0], *row[1:]) for row in rows])
    for folder, suffix in (('images', '.jpg'), ('masks', '.png')):
        (tmp_path / folder / f'D034_2021_Z2_B_000099{suffix}').rename(tmp_path / folder / f'{decomposed}{suffix}')
        (tmp_path / folder / f'{FIRST}{suffix}').rename(tmp_path / folder / f'{FIRST}{suffix.upper()}')
    tiles = {tile.pair.stem: tile.pair for tile in indexed_tiles(tmp_path)}
    assert tiles[composed].image.name == f'{decomposed}.jpg'
    assert tiles[FIRST].mask.name == f'{FIRST}.PNG'
    assert len(tiles) == 15


def test_a_strip_to_validate_on_leaves_a_row_between(tmp_path):
    masks = reduced(tmp_path / 'in')
    options = CutOptions(patch_size=8, workers=1, label_fractions=(0.5,), shrink=2)
    described = convert_flair(tmp_path / 'in', tmp_path / 'out', options, val_strip=2).description
    assert numbers(described, 'val') == [0, 1, 10, 11]
    assert numbers(described, 'train') == [30, 31, 40, 41, 50, 51, 99]
    assert numbers(described, 'test') == [70, 71]
    unused = (tmp_path / 'out/unused_images.txt').read_text().split()
    assert unused == ['D034_2021_Z1_A_000020', 'D034_2021_Z1_A_000021']
    name = 'D034_2021_Z2_B_000099'
    block = masks[name][16:18, 16:18]
    values, counts = np.unique(np.vectorize(REDUCED_CLASSES.get)(block), return_counts=True)
    assert read(tmp_path / f'out/masks/{name}_8_8.png')[0, 0] == values[np.argmax(counts)]
    assert read(tmp_path / f'out/images/{name}_8_8.png').shape == (8, 8, 3)
    again = convert_flair(tmp_path / 'in', tmp_path / 'out', options, val_strip=2)
    assert again.done_before
    with pytest.raises(InputError, match=r'made with val_strip 2, not 1'):
        convert_flair(tmp_path / 'in', tmp_path / 'out', options, val_strip=1)


@pytest.mark.parametrize(('axis', 'sign'), [(0, 1), (0, -1), (1, 1), (1, -1)])
def test_the_strip_is_opposite_to_the_test_images_wherever_they_are(tmp_path, axis, sign):
    def turn(rows):
        return [(n, z, *((sign * y, x) if axis == 0 else (x, sign * y)), split) for n, z, x, y, split in rows]

    reduced(tmp_path / 'in', turn)
    described = convert_flair(tmp_path / 'in', tmp_path / 'out', SMALL, val_strip=1).description
    assert numbers(described, 'val') == [0, 1]
    assert numbers(described, 'train') == [20, 21, 30, 31, 40, 41, 50, 51, 99]


def test_images_that_touch_test_images_or_a_zone_to_validate_on_are_not_used(tmp_path):
    def near(rows):
        moved = [(n, z, x, y - SIDE if split == 'val' else y, split) for n, z, x, y, split in rows]
        beside = ('D034_2021_Z2_B_000099', 'Z2_B', -SIDE, 0.0, 'pool')
        return [*moved[:-1], beside]

    reduced(tmp_path / 'in', near)
    described = convert_flair(tmp_path / 'in', tmp_path / 'out', SMALL, val_zones=['Z2_B']).description
    assert numbers(described, 'val') == [99]
    assert numbers(described, 'train') == [1, 11, 20, 21, 30, 31, 40, 41]  # without 0 and 10 beside 99, 50 and 51
    assert numbers(described, 'test') == [70, 71]


def spoil(path, data):
    return lambda folder: write_files(folder, {path: data})


def with_index(old, new):
    def change(folder):
        path = folder / 'index.csv'
        path.write_text(path.read_text().replace(old, new))

    return change


FIRST = 'D034_2021_Z1_A_000000'
BAD_REDUCED = {
    'mask missing': (
        lambda folder: (folder / f'masks/{FIRST}.png').unlink(),
        *({}, rf'index\.csv: 1 file\(s\) missing: .*masks/{FIRST}\.png; copy them, or remove the rows'),
    ),
    'mask of another size': (
        spoil(f'masks/{FIRST}.png', png(np.zeros((32, 30), np.uint8))),
        *({}, rf'{FIRST}\.png: mask of 32 x 30 pixels .* has 32 x 32'),
    ),
    'unknown class': (
        spoil(f'masks/{FIRST}.png', png(np.full((32, 32), 13, np.uint8))),
        *({}, rf'{FIRST}\.png: values \[13\] are no classes of FLAIR #1 here \(0 to 12\); give masks with 1 to 19'),
    ),
    'mask with 255': (
        spoil(f'masks/{FIRST}.png', png(np.full((32, 32), 255, np.uint8))),
        *({}, r'values \[255\] are no classes'),
    ),
    'image cut off': (
        lambda folder: (folder / f'images/{FIRST}.jpg').write_bytes(
            (folder / f'images/{FIRST}.jpg').read_bytes()[:-99]
        ),
        *({}, rf'{FIRST}\.jpg: file is cut off'),
    ),
    'no index': (lambda folder: (folder / 'index.csv').unlink(), {}, r'in: no IMG_\*\.tif and no index\.csv in it'),
    'no column': (with_index('split', 'part'), {}, r"no column 'split'; its columns are name, zone, x0, y0, split"),
    'index empty': (spoil('index.csv', b''), {}, r'index\.csv: has no rows'),
    'unknown split': (with_index(',pool', ',train'), {}, r"index\.csv, line 2: .*split 'train'; split is pool or val"),
    'no place': (
        with_index(f'{FIRST},Z1_A,0.0', f'{FIRST},Z1_A,x'),
        {},
        r"line 2: x0 is 'x', which is no number; give metres",
    ),
    'no finite place': (
        with_index(f'{FIRST},Z1_A,0.0,0.0', f'{FIRST},Z1_A,0.0,inf'),
        {},
        r"line 2: y0 is 'inf', which",
    ),
    'a place of nan': (with_index(f'{FIRST},Z1_A,0.0', f'{FIRST},Z1_A,nan'), {}, r"line 2: x0 is 'nan', which is no"),
    'a row twice': (with_index('Z1_A_000001,', 'Z1_A_000000,'), {}, rf'{FIRST} is in several rows; keep one'),
    'no row': (spoil('images/more.jpg', jpeg(noise(3))), {}, r'no row for 1 image\(s\): more; add rows'),
    'unknown zone': (
        lambda folder: None,
        *({'val_zones': ['Z9']}, r'--val-zones Z9: no such zone or domain; there are D034_2021_Z1_A, D034_2021_Z2_B'),
    ),
    'a zone twice': (
        lambda folder: None,
        *({'val_zones': ['Z1_A'], 'train_zones': ['Z*']}, r'--train-zones Z\*: is in --val-zones too'),
    ),
    'test zones': (lambda folder: None, {'test_zones': ['Z2_B']}, r'--test-zones Z2_B: index\.csv names the test'),
    'near infrared': (lambda folder: None, {'bands': 'rgbir'}, r'--bands rgbir: the JPEGs beside index\.csv have red'),
    'other bands': (lambda folder: None, {'bands': 'irrg'}, r"bands is 'irrg'; give one of rgb, rgbir"),
    'strip too wide': (lambda folder: None, {'val_strip': 5}, r'--val-strip 5: zone D034_2021_Z1_A has 6 rows'),
    'strip below 0': (lambda folder: None, {'val_strip': -1}, r'val strip is -1'),
    'test images on no side': (
        with_index(f'1_A_000070,Z1_A,0.0,{7 * SIDE}', f'1_A_000070,Z1_A,0.0,{-2 * SIDE}'),
        *({'val_strip': 1}, r'zone D034_2021_Z1_A has test images on no single side of the others; give --val-zones'),
    ),
}


@pytest.mark.parametrize('case', BAD_REDUCED)
def test_faults_of_a_reduced_copy_are_named(tmp_path, case):
    change, options, message = BAD_REDUCED[case]
    reduced(tmp_path / 'in')
    change(tmp_path / 'in')
    with pytest.raises(InputError, match=message):
        convert_flair(tmp_path / 'in', tmp_path / 'out', SMALL, **options)
    assert list(tmp_path.glob('out*')) == []


IMAGE, MASK = 'D034_2021/Z4_UU/img/IMG_000001.tif', 'D034_2021/Z4_UU/msk/MSK_000001.tif'
BAD_PUBLISHED = {
    'mask missing': ({f'a/{MASK}': None}, {}, r'in: 1 file\(s\) missing: MSK_000001\.tif; download again'),
    'image missing': ({f'a/{IMAGE}': None}, {}, r'in: 1 file\(s\) missing: IMG_000001\.tif; download again'),
    'three bands': (
        {f'a/{IMAGE}': tiff(noise(3))},
        *({}, r'IMG_000001\.tif: has 3 band\(s\), images of FLAIR #1 have 5'),
    ),
    '16 bit': ({f'a/{IMAGE}': tiff(noise(5).astype(np.uint16))}, {}, r'IMG_000001\.tif: pixels are uint16'),
    'class 0': (
        {f'a/{MASK}': tiff(np.zeros((32, 32), np.uint8))},
        *({}, r'MSK_000001\.tif: values \[0\] are no classes of FLAIR #1 here \(1 to 19\)'),
    ),
    'mask of another size': (
        {f'a/{MASK}': tiff(np.ones((30, 32), np.uint8))},
        *({}, r'MSK_000001\.tif: mask of 30 x 32 pixels .* has 32 x 32'),
    ),
    'other folders': ({'IMG_000009.tif': b'x', 'MSK_000009.tif': b'x'}, {}, r'IMG_000009\.tif: is not in folders such'),
    'strip': ({}, {'val_strip': 1}, r'--val-strip 1: strips need an index\.csv with places; give --val-zones'),
    'nothing to train on': ({}, {'test_zones': ['D034*']}, r'out: no image is left for training'),
    'shrink': ({}, {'options': CutOptions(8, shrink=3, workers=1)}, r'32 x 32 pixels do not split .* --shrink 3'),
}


@pytest.mark.parametrize('case', BAD_PUBLISHED)
def test_faults_of_the_published_files_are_named(tmp_path, case):
    files, options, message = BAD_PUBLISHED[case]
    published(tmp_path / 'in', 'D034_2021/Z4_UU')
    for name, data in files.items():
        path = next((tmp_path / 'in').rglob(name.removeprefix('a/')), tmp_path / 'in' / name)
        if data is None:
            path.unlink()
        else:
            path.write_bytes(data)
    with pytest.raises(InputError, match=message):
        convert_flair(tmp_path / 'in', tmp_path / 'out', **{'options': SMALL, **options})
    assert list(tmp_path.glob('out*')) == []


@pytest.mark.skipif(not (SHARED / 'flair').is_dir(), reason=f'no flair imagery in {SHARED}; set FALSE_SHARED_DATA')
def test_real_images_of_two_zones(tmp_path):
    wanted = ('Z1_NN', 'Z6_NU')
    lines = (SHARED / 'flair/index.csv').read_text().splitlines()
    rows = [lines[0], *(line for line in lines[1:] if line.split(',')[1] in wanted)]
    write_files(tmp_path / 'in', {'index.csv': '\n'.join(rows).encode()})
    for kind, suffix in (('images', 'jpg'), ('masks', 'png')):
        (tmp_path / 'in' / kind).mkdir()
        for name in (row.split(',')[0] for row in rows[1:]):
            (tmp_path / 'in' / kind / f'{name}.{suffix}').symlink_to(SHARED / 'flair' / kind / f'{name}.{suffix}')
    described = convert_flair(tmp_path / 'in', tmp_path / 'out', CutOptions(128, shrink=2), val_strip=2).description
    assert {name: described['splits'][name]['patches'] for name in ('train', 'val', 'test')} == {
        'train': 4 * (35 + 10),
        'val': 4 * 10,
        'test': 4 * 15,
    }
    assert described['splits']['val']['pixels']['water'] > 0.4 * 40 * 128**2
