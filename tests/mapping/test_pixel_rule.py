"""The rule from values to pixels: as a data set or a model recorded it, and only for images that it fits."""

import json

import numpy as np
import pytest

from projects.false.common.errors import InputError
from projects.false.imagery.rasters import inspect_rasters
from projects.false.mapping.pixel_rule import PixelRule, choose_rule, published_rule, recorded_rule

RANGES = [[240.0, 10_000.0]] * 3


@pytest.fixture
def inspect(make_raster):
    """``inspect(dtype, bands)``: a raster of zeros, as mapping sees it."""

    def make(dtype='uint8', bands=3):
        (raster,) = inspect_rasters([make_raster(np.zeros((bands, 8, 8), dtype), f'{dtype}_{bands}.tif', alpha='no')])
        return raster

    return make


@pytest.mark.parametrize(
    ('arguments', 'bands'),
    [
        ({'bands': [4, 3, 2]}, (4, 3, 2)),
        ({'bands': None}, (1, 2, 3)),
        ({'bands': ['nir', 'red', 'green'], 'band_numbers': [4, 3, 2]}, (4, 3, 2)),
    ],
    ids=['rasters.py', 'rasters.py, all bands', 'vectors.py'],
)
def test_bands_of_a_data_set_are_numbers(tmp_path, arguments, bands):
    content = {'arguments': arguments, 'bands': {'count': 3}, 'ranges': RANGES, 'patches': []}
    (tmp_path / 'dataset.json').write_text(json.dumps(content))
    assert recorded_rule(tmp_path) == PixelRule(bands, ((240.0, 10_000.0),) * 3)
    (tmp_path / 'dataset.json').write_text(json.dumps(content | {'ranges': None}))
    assert recorded_rule(tmp_path) == PixelRule(bands, None)
    del content['ranges']
    (tmp_path / 'dataset.json').write_text(json.dumps(content))
    assert recorded_rule(tmp_path) is None


def test_a_model_that_was_published_with_names_of_bands_is_refused(tmp_path):
    stored = {'bands': ['red', 'green', 'blue'], 'ranges': RANGES}
    (tmp_path / 'preprocessing.json').write_text(json.dumps({'recorded': stored}))
    message = r'preprocessing\.json: names the bands red, green, blue where it should number them; publish the model'
    with pytest.raises(InputError, match=message):
        published_rule(tmp_path)
    (tmp_path / 'preprocessing.json').write_text(json.dumps({'recorded': None}))
    assert published_rule(tmp_path) is None


def test_an_image_of_8_bits_does_not_take_ranges_that_it_cannot_reach(inspect):
    recorded = PixelRule((1, 2, 3), ((240, 10_000), (0, 9_000), (300, 8_000)))
    assert choose_rule(inspect('uint16'), 3, recorded=recorded) == recorded
    message = r'uint8_3\.tif: pixels are 8 bit, the model was trained on values of 240 to 10000; .* --range 0 255'
    with pytest.raises(InputError, match=message):
        choose_rule(inspect(), 3, recorded=recorded)
    assert choose_rule(inspect(), 3, value_range=(0, 255), recorded=recorded).ranges == ((0, 255),) * 3
    for ranges in (((12.0, 201.0),) * 3, ((0, 300),) * 3, None):
        assert choose_rule(inspect(), 3, recorded=PixelRule((1, 2, 3), ranges)).ranges == ranges


@pytest.mark.parametrize('given', [(0, float('inf')), (float('-inf'), 255), (float('nan'), 255), (255, 0), (5, 5)])
def test_a_range_is_two_finite_numbers(inspect, given):
    with pytest.raises(InputError, match=r'--range \S+ \S+: give two finite numbers, the lower one first'):
        choose_rule(inspect(), 3, value_range=given)
