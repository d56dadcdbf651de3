import numpy as np
import pytest
import rasterio
from PIL import Image

from projects.false.imagery.images import read_image, write_patch

EXTRA_SAMPLES = 338  # TIFF tag: 0 of unspecified meaning, 1 and 2 transparency


@pytest.mark.parametrize(('bands', 'suffix'), [(1, '.png'), (2, '.tif'), (3, '.png'), (4, '.tif'), (7, '.tif')])
def test_what_is_written_is_read_back(tmp_path, bands, suffix):
    pixels = np.random.default_rng(0).integers(0, 256, (9, 7, bands), np.uint8)
    path = write_patch(tmp_path / 'a.b_0_0', pixels)
    assert path == tmp_path / f'a.b_0_0{suffix}'
    np.testing.assert_array_equal(read_image(path, bands), pixels)


def test_red_comes_first_in_the_file(tmp_path):
    pixels = np.zeros((2, 2, 4), np.uint8)
    pixels[..., 2], pixels[..., 3] = 200, 90  # red and near infrared, in the order of the memory
    with rasterio.open(write_patch(tmp_path / 'four', pixels)) as raster:
        assert raster.read()[:, 0, 0].tolist() == [200, 0, 0, 90]
    assert np.array(Image.open(write_patch(tmp_path / 'three', pixels[..., :3])))[0, 0].tolist() == [200, 0, 0]


def test_the_fourth_band_is_no_transparency(tmp_path):
    path = write_patch(tmp_path / 'four', np.zeros((2, 2, 4), np.uint8))
    assert tuple(Image.open(path).tag_v2[EXTRA_SAMPLES]) == (0,)
