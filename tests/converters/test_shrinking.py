"""Blocks of pixels that become one; cutting itself is tested with the converters."""

from collections import Counter

import cv2
import numpy as np
import pytest

from projects.false import InputError
from projects.false.converters.color_masks import convert_color_masks
from projects.false.converters.options import CutOptions
from projects.false.converters.shrinking import shrink_image, shrink_mask
from projects.false.imagery.palettes import PALETTES
from projects.false.imagery.rasters import patch_transform
from tests.helpers.converter_inputs import png, tiff, write_files


def blocks_of(pixels, side):
    """The blocks one by one, with their row and column."""
    for row in range(pixels.shape[0] // side):
        for column in range(pixels.shape[1] // side):
            yield row, column, pixels[row * side : (row + 1) * side, column * side : (column + 1) * side]


@pytest.mark.parametrize('side', [2, 3])
@pytest.mark.parametrize('bands', [1, 3, 5])
def test_an_image_takes_the_average(side, bands):
    image = np.random.default_rng(side).integers(0, 256, (6, 12, bands), np.uint8)
    shrunk = shrink_image(image, side)
    assert (shrunk.shape, shrunk.dtype) == ((6 // side, 12 // side, bands), np.uint8)
    for row, column, block in blocks_of(image, side):
        exact = block.reshape(-1, bands).astype(float).mean(0)
        np.testing.assert_array_equal(shrunk[row, column], np.floor(exact + 0.5))


@pytest.mark.parametrize('side', [2, 3])
def test_a_mask_takes_the_most_common_value_and_of_equal_ones_the_lowest(side):
    values = np.array([0, 1, 2, 255], np.uint8)
    index = values[np.random.default_rng(side).integers(0, 4, (24, 36))]
    shrunk = shrink_mask(index, side)
    assert shrunk.dtype == np.uint8
    for row, column, block in blocks_of(index, side):
        counts = Counter(block.ravel().tolist())
        assert shrunk[row, column] == min(counts, key=lambda value: (-counts[value], value))


def test_one_changes_nothing():
    pixels = np.arange(35, dtype=np.uint8).reshape(5, 7)
    assert shrink_mask(pixels, 1) is pixels
    assert shrink_image(pixels[..., None], 1).shape == (5, 7, 1)


def test_a_side_that_does_not_divide_is_refused():
    with pytest.raises(InputError, match='6 x 8 pixels do not split into blocks of --shrink 4; give a common divisor'):
        shrink_mask(np.zeros((6, 8), np.uint8), 4)


def test_patches_are_cut_from_shrunk_pixels_and_keep_their_place(tmp_path):
    generator = np.random.default_rng(0)
    image = generator.integers(0, 256, (40, 64, 3), np.uint8)
    index = generator.integers(0, 3, (40, 64), np.uint8)
    write_files(tmp_path, {'images/a.tif': tiff(image), 'masks/a.png': png(index)})
    options = CutOptions(10, workers=1, shrink=2)
    folders = [tmp_path / name for name in ('images', 'masks', 'out')]
    described = convert_color_masks(*folders, PALETTES['xiangtan'], options).description
    source = described['sources']['a']
    assert (source['height'], source['width'], described['arguments']['shrink']) == (20, 32, 2)
    assert patch_transform(source['transform'], 10, 20) == pytest.approx(
        [0.1, 0, 366_000 + 40 * 0.05, 0, -0.1, 5_808_000 - 20 * 0.05]
    )
    patch = cv2.imread(str(tmp_path / 'out/images/a_10_20.png'))
    np.testing.assert_array_equal(patch[..., ::-1], shrink_image(image, 2)[10:20, 20:30])
    mask = cv2.imread(str(tmp_path / 'out/masks/a_10_20.png'), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(mask, shrink_mask(index, 2)[10:20, 20:30])
    assert 'shrink' not in CutOptions(10).arguments(PALETTES['xiangtan'], ['grey'])  # as in data made before
