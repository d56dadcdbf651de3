"""Pairs of images and masks, cut into patches: they must show the same ground."""

import numpy as np
import pytest
from rasterio.transform import Affine

from projects.false.common.errors import InputError
from projects.false.converters.color_masks import convert_color_masks
from projects.false.converters.options import CutOptions
from projects.false.imagery.palettes import Palette
from tests.helpers.converter_inputs import tiff, write_files

GRID = Affine(0.5, 0, 366_000, 0, -0.5, 5_808_000)
PLACES = {
    'shifted': {'transform': GRID @ Affine.translation(2000, 0)},
    'by a pixel': {'transform': GRID @ Affine.translation(0, 1)},
    'south up': {'transform': Affine(0.5, 0, 366_000, 0, 0.5, 5_808_000 - 32)},
    'coarser': {'transform': GRID @ Affine.scale(1.1)},
    'another system': {'crs': 'EPSG:32632'},
    'degrees': {'crs': 'EPSG:4326'},
}

ELSEWHERE = r'masks/a\.tif: lies elsewhere on the ground than .*images/a\.tif, by up to .* pixels; give'
MESSAGES = {'degrees': r'masks/a\.tif: .* cannot be projected to EPSG:32633; check its reference system'}


def georeferenced(folder, place, size=64):
    index = np.random.default_rng(0).integers(0, 3, (size, size), np.uint8)
    write_files(folder / 'images', {'a.tif': tiff(np.stack([index] * 3, -1), transform=GRID)})
    write_files(folder / 'masks', {'a.tif': tiff(index, **place)})
    palette = Palette('three', ('a', 'b', 'c'), ((255, 0, 0), (0, 255, 0), (0, 0, 255)), index_masks=True)
    options = CutOptions(32, label_fractions=(1.0,), shrink=2)
    return convert_color_masks(folder / 'images', folder / 'masks', folder / 'out', palette, options)


@pytest.mark.parametrize('place', PLACES)
def test_a_mask_of_other_ground_is_refused(tmp_path, place):
    with pytest.raises(InputError, match=MESSAGES.get(place, ELSEWHERE)):
        georeferenced(tmp_path, {'transform': GRID} | PLACES[place])
    assert not (tmp_path / 'out').exists()


@pytest.mark.filterwarnings('ignore::rasterio.errors.NotGeoreferencedWarning')
@pytest.mark.parametrize(
    'place',
    [
        {'transform': GRID},
        {'transform': GRID @ Affine.translation(0.2, 0)},
        {'transform': GRID, 'crs': None},
        {'transform': None, 'crs': None},
        {'transform': GRID, 'crs': 'EPSG:25833'},
    ],
    ids=['same', 'rounded', 'no system', 'no place', 'the same ground by another name'],
)
def test_a_mask_of_the_same_ground_or_of_no_place_is_taken(tmp_path, place):
    assert len(georeferenced(tmp_path, place).description['patches']) == 1
