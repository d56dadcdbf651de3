import os
import unicodedata

import cv2
import numpy as np
import pytest

from projects.false.common.errors import InputError
from projects.false.converters.dglc import IMAGES, TEST_IMAGES, convert_dglc, dglc_pairs
from projects.false.converters.image_splits import split_images
from projects.false.converters.options import CutOptions
from projects.false.imagery.mask_colors import index_to_colors
from projects.false.imagery.palettes import PALETTES
from projects.false.imagery.windows import grid
from tests.helpers.converter_inputs import blocks, jpeg, png, write_files, write_zip

SMALL = CutOptions(patch_size=16, workers=2)


def pair(identity, side, seed=0):
    index = blocks('dglc', side, seed)
    index[:3, :3] = 255
    colors = index_to_colors(index, PALETTES['dglc'])
    return {f'train/{identity}_sat.jpg': jpeg(colors // 2), f'train/{identity}_mask.png': png(colors)}, index


def test_the_counts_of_the_paper():
    """730 images to train, 73 to test, 25 patches each: 18,250 and 1,825."""
    split_of, lists = split_images([str(7 * i) for i in range(IMAGES)], None, None, TEST_IMAGES, IMAGES, seed=0)
    patches = len(grid(2448, 2448, 512, 512))
    assert [patches * list(split_of.values()).count(split) for split in ('train', 'test')] == [18_250, 1_825]
    assert [len(lines) for lines in lists.values()] == [TEST_IMAGES + 2]


def test_real_sized_images_straight_from_the_zip(tmp_path):
    files, index = pair('855', 2448)
    files = {f'land-{name}': content for name, content in files.items()}
    small = {f'land-{name}': content for name, content in pair('119', 512, seed=1)[0].items()}
    write_zip(tmp_path / 'land-train.zip', {**files, **small, 'land-train/__MACOSX/._855_sat.jpg': b''})
    options = CutOptions(patch_size=512, workers=1)
    described = convert_dglc(tmp_path / 'land-train.zip', tmp_path / 'out', options).description
    of_855 = [patch for patch in described['patches'] if patch['source'] == '855']
    assert [(patch['row'], patch['col']) for patch in of_855] == grid(2448, 2448, 512, 512)
    mask = cv2.imread(str(tmp_path / 'out/masks/855_1936_1024.png'), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(mask, index[1936:, 1024:1536])
    assert of_855[0]['pixels'][-1] == 9
    assert 'crs' not in described['sources']['855']


def test_the_draw_is_written_and_can_be_given_back(tmp_path):
    for number in range(22):
        write_files(tmp_path / 'in', pair(f'{number:03}', 16, number)[0])
    write_files(tmp_path / 'in', {'valid/900_sat.jpg': jpeg(np.zeros((16, 16, 3), np.uint8))})
    first = convert_dglc(tmp_path / 'in', tmp_path / 'first', SMALL).description
    assert [first['splits'][split]['patches'] for split in ('train', 'test')] == [20, 2]
    drawn = tmp_path / 'first/test_images_drawn_here_seed0.txt'
    assert 'drawn by this project with seed 0' in drawn.read_text()
    second = convert_dglc(tmp_path / 'in', tmp_path / 'second', SMALL, test_list=drawn).description
    assert second['patches'] == first['patches']
    assert 'test_images_drawn_here_seed0.txt' not in os.listdir(tmp_path / 'second')
    other = convert_dglc(tmp_path / 'in', tmp_path / 'third', CutOptions(16, seed=1, workers=1)).description
    tests = [{p['name'] for p in described['patches'] if p['split'] == 'test'} for described in (first, other)]
    assert tests[0] != tests[1]
    (tmp_path / 'val.txt').write_text('000\n')
    drawn.write_text('001\n002\n')
    third = convert_dglc(tmp_path / 'in', tmp_path / 'fourth', SMALL, drawn, tmp_path / 'val.txt', ['003']).description
    assert {name: split['patches'] for name, split in third['splits'].items()} == {
        'train': 18,
        'val': 1,
        'test': 2,
        'train_1pct': 1,
    }


def test_names_in_capitals_and_in_another_unicode_form(tmp_path):
    """Windows writes suffixes in capitals, and macOS decomposes accents."""
    composed, decomposed = (unicodedata.normalize(form, 'é') for form in ('NFC', 'NFD'))
    files = {**pair('1', 16)[0], **pair('2', 16)[0], **pair('3', 16)[0], **pair('4', 16)[0]}
    names = [
        *('train/1_sat.JPG', 'train/1_mask.PNG', 'train/2_SAT.JPG', 'train/2_MASK.PNG'),
        *(f'train/{composed}_sat.jpg', f'train/{decomposed}_mask.png', 'train/4_sat.jpg', 'train/4_mask.png'),
    ]
    write_files(tmp_path / 'in', dict(zip(names, files.values(), strict=True)))
    assert [pair.stem for pair in dglc_pairs(tmp_path / 'in')] == ['1', '2', '4', composed]
    assert [pair.stem for pair in dglc_pairs(tmp_path / 'in', ['2', decomposed])] == ['1', '4']


def test_images_of_other_formats_are_pairs_too(tmp_path):
    """Whoever converted some files of the download must not lose them without a word."""
    names = ('train/1_sat.jpeg', 'train/1_mask.bmp', 'train/2_sat.png', 'train/2_mask.PNG')
    write_files(tmp_path / 'in', dict(zip(names, {**pair('1', 16)[0], **pair('2', 16)[0]}.values(), strict=True)))
    assert [pair.stem for pair in dglc_pairs(tmp_path / 'in')] == ['1', '2']
    write_files(tmp_path / 'in', {'train/3_sat.tif': b'', 'train/1_mask.png.aux.xml': b''})
    with pytest.raises(InputError, match=r'missing: 3_mask\.png'):
        dglc_pairs(tmp_path / 'in')


def test_two_images_of_one_id(tmp_path):
    write_files(tmp_path / 'in', {**pair('1', 16)[0], 'train/1_sat.png': pair('1', 16, seed=1)[0]['train/1_sat.jpg']})
    with pytest.raises(InputError, match=r'1_sat\.\w+: .*1_sat\.\w+ has the same name but other content'):
        dglc_pairs(tmp_path / 'in')
