import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from projects.false.common.errors import InputError
from projects.false.imagery.mask_colors import colors_to_index, index_to_colors
from projects.false.imagery.palettes import PALETTES, Palette, load_palette


def write_json(tmp_path, content):
    path = tmp_path / 'palette.json'
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def slow_lookup(mask, palette):
    if palette.binarise is not None:
        mask = (mask >= palette.binarise) * 255
    table = {color: index for index, color in enumerate(palette.colors)} | dict.fromkeys(palette.ignore_colors, 255)
    return np.array([[table[tuple(pixel.tolist())] for pixel in row] for row in mask])


@pytest.mark.parametrize('name', PALETTES)
def test_every_palette_maps_its_colors_to_its_classes(name):
    palette = PALETTES[name]
    mask = np.array([palette.colors + palette.ignore_colors], np.uint8)
    index = colors_to_index(mask, palette, 'mask.png')
    assert index.dtype == np.uint8
    assert index[0].tolist() == [*range(len(palette.classes)), *([255] * len(palette.ignore_colors))]


@pytest.mark.parametrize('name', PALETTES)
@given(seed=st.integers(0, 99))
def test_lookup_agrees_with_a_loop_and_goes_back(name, seed):
    palette = PALETTES[name]
    every = np.array(palette.colors + palette.ignore_colors, np.uint8)
    mask = every[np.random.default_rng(seed).integers(0, len(every), (5, 7))]
    index = colors_to_index(mask, palette, 'mask.png')
    np.testing.assert_array_equal(index, slow_lookup(mask, palette))
    labelled = index != 255
    np.testing.assert_array_equal(index_to_colors(index, palette)[labelled], mask[labelled])


def test_published_colors():
    assert PALETTES['potsdam'].colors[4] == (255, 255, 0)
    assert PALETTES['potsdam'].classes[4] == 'car'
    assert PALETTES['dglc'].classes == ('urban', 'agriculture', 'rangeland', 'forest', 'water', 'barren')
    assert PALETTES['dglc'].colors[2] == (255, 0, 255)
    assert PALETTES['mbrsc'].classes == ('building', 'land', 'road', 'vegetation', 'water')
    assert PALETTES['mbrsc'].colors[4] == (0xE2, 0xA9, 0x29)
    assert PALETTES['xiangtan'].index_masks
    assert len(PALETTES['xiangtan'].classes) == 9


def test_potsdam_is_binarised_at_128():
    mask = np.array([[[252, 255, 0], [127, 127, 200], [128, 3, 2], [100, 90, 127]]], np.uint8)
    assert colors_to_index(mask, PALETTES['potsdam'], 'm.tif').tolist() == [[4, 1, 5, 255]]


def test_an_unlisted_corner_of_the_color_cube_is_an_error_after_binarising():
    with pytest.raises(InputError, match=r'm\.tif: #FF00FF \(2 pixels\) not in palette'):
        colors_to_index(np.array([[[250, 3, 250], [255, 0, 129]]], np.uint8), PALETTES['potsdam'], 'm.tif')


def test_unknown_colors_are_named_with_their_counts_most_frequent_first():
    mask = np.zeros((3, 3, 3), np.uint8)
    mask[0, 0] = (1, 2, 255)
    mask[1] = (9, 8, 7)
    with pytest.raises(InputError, match=r'a/b\.png: #090807 \(3 pixels\), #0102FF \(1 pixels\).*--palette.*"ignore"'):
        colors_to_index(mask, PALETTES['mbrsc'], 'a/b.png')


def test_an_index_mask_is_recognised():
    with pytest.raises(InputError, match='index mask needs a palette with "index_masks"'):
        colors_to_index(np.ones((2, 2, 3), np.uint8), PALETTES['mbrsc'], 'm.png')


def test_json_palette(tmp_path):
    content = {'classes': ['roof', 'rest'], 'colors': ['#ff0010', [0, 1, 2]], 'ignore': ['#000000']}
    palette = load_palette(write_json(tmp_path, content))
    assert palette.classes == ('roof', 'rest')
    assert palette.colors == ((255, 0, 16), (0, 1, 2))
    assert palette.ignore_colors == ((0, 0, 0),)
    assert palette.binarise is None
    assert not palette.index_masks


GOOD = {'classes': ['a', 'b'], 'colors': ['#000000', '#FFFFFF']}


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        ('{', 'not readable as JSON'),
        ([1], '"classes" and "colors"'),
        ({'classes': ['a']}, '"classes" and "colors"'),
        (GOOD | {'colour': []}, "unknown key 'colour'"),
        (GOOD | {'classes': 'ab'}, 'give a list'),
        (GOOD | {'classes': ['a', 1]}, 'list of names'),
        (GOOD | {'classes': []}, '0 classes'),
        (GOOD | {'classes': ['a', 'a']}, 'occurs twice'),
        (GOOD | {'colors': ['#000000']}, 'one per class'),
        (GOOD | {'colors': ['#000000', '#00000']}, r"color '#00000'; write"),
        (GOOD | {'colors': ['#000000', [0, 0, 256]]}, '0 to 255'),
        (GOOD | {'colors': ['#000000', [0, 0, True]]}, '0 to 255'),
        (GOOD | {'ignore': ['#000000']}, '#000000 occurs twice'),
        (GOOD | {'binarise': 'yes'}, '"binarise" is'),
        (GOOD | {'binarise': 0}, 'binarise is 0'),
        ({'classes': ['a'], 'colors': ['#800000'], 'binarise': 128}, 'can never occur'),
    ],
)
def test_bad_json_palettes(tmp_path, content, message):
    path = write_json(tmp_path, content)
    with pytest.raises(InputError, match=message) as error:
        load_palette(path)
    assert str(path) in str(error.value)


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(InputError, match=r"'potsdm': no such name.*potsdam, dglc, xiangtan, mbrsc, synthetic"):
        load_palette('potsdm')


def test_other_class_names():
    palette = Palette('p', ('a', 'b'), ((0, 0, 0), (1, 1, 1)))
    assert palette.with_classes(('c', 'd')).classes == ('c', 'd')
    with pytest.raises(InputError, match='1 classes but 2 colors'):
        palette.with_classes(('c',))


def test_metainfo_goes_there_and_back():
    for palette in PALETTES.values():
        found = Palette.from_metainfo(palette.metainfo)
        assert (found.classes, found.colors, found.index_masks) == (palette.classes, palette.colors, True)


def test_colors_that_occur_twice_in_metainfo_are_told_apart():
    metainfo = {'classes': ['a', 'b', 'c'], 'palette': [[9, 9, 255], [9, 9, 255], (9, 9, 0)]}
    assert Palette.from_metainfo(metainfo).colors == ((9, 9, 255), (9, 9, 0), (9, 9, 1))


def test_the_palette_of_a_converted_data_set():
    described = {'classes': ['a', 'b'], 'colors': ['#000000', '#0000FF'], 'ignore_colors': ['#FF0000'], 'seed': 0}
    palette = Palette.from_description(described, 'data/dataset.json')
    assert palette == Palette(
        'data/dataset.json', ('a', 'b'), ((0, 0, 0), (0, 0, 255)), ((255, 0, 0),), index_masks=True
    )
    with pytest.raises(InputError, match=r"dataset\.json: 'classes' is None"):
        Palette.from_description({})
