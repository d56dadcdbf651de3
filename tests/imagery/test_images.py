import cv2
import numpy as np
import pytest
import rasterio
from PIL import Image
from rasterio.transform import from_origin

from projects.false import InputError
from projects.false.imagery.images import band_order, read_image, read_index_mask, write_patch


@pytest.fixture
def image():
    return np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)


def write_tiff(path, rgb, dtype='uint8'):
    bands = np.moveaxis(rgb.astype(dtype), -1, 0) if rgb.ndim == 3 else rgb[None].astype(dtype)
    profile = dict(driver='GTiff', height=bands.shape[1], width=bands.shape[2], count=len(bands), dtype=dtype)
    profile |= dict(photometric='RGB' if len(bands) > 2 else 'MINISBLACK', alpha='NO')
    with rasterio.open(path, 'w', **profile, crs='EPSG:32633', transform=from_origin(0, 0, 1, 1)) as raster:
        raster.write(bands)


def test_png_and_tiff_give_the_same_pixels(tmp_path, image):
    cv2.imwrite(str(tmp_path / 'a.png'), image[..., ::-1])
    write_tiff(tmp_path / 'a.tif', image)
    assert (read_image(tmp_path / 'a.png') == image[..., ::-1]).all()
    assert (read_image(tmp_path / 'a.tif') == image[..., ::-1]).all()


def test_jpeg_is_what_opencv_decodes(tmp_path, image):
    cv2.imwrite(str(tmp_path / 'a.jpg'), image)
    assert (read_image(tmp_path / 'a.jpg') == cv2.imread(str(tmp_path / 'a.jpg'))).all()


@pytest.mark.parametrize('name', ['cut.png', 'cut.tif', 'cut.jpg'])
def test_damaged_files_are_named(tmp_path, name, image):
    path = tmp_path / name
    path.write_bytes(b'no image at all')
    with pytest.raises(InputError, match=name):
        read_image(path)


def test_missing_file(tmp_path):
    with pytest.raises(InputError, match=r'gone\.png: no such image'):
        read_image(tmp_path / 'gone.png')


def test_truncated_tiff(tmp_path, image):
    path = tmp_path / 'a.tif'
    write_tiff(path, np.tile(image, (20, 20, 1)))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(InputError, match=r'a\.tif'):
        read_image(path)


@pytest.mark.parametrize(
    ('bands', 'dtype', 'text'), [(4, 'uint8', r'4 band\(s\)'), (3, 'uint16', 'uint16'), (1, 'uint8', r'1 band\(s\)')]
)
def test_other_bands_and_types_are_refused(tmp_path, bands, dtype, text):
    write_tiff(tmp_path / 'a.tif', np.zeros((8, 8, bands)), dtype)
    with pytest.raises(InputError, match=text):
        read_image(tmp_path / 'a.tif')


def test_mask_values_are_checked(tmp_path):
    mask = np.array([[0, 1], [4, 255]], np.uint8)
    cv2.imwrite(str(tmp_path / 'm.png'), mask)
    write_tiff(tmp_path / 'm.tif', mask)
    assert (read_index_mask(tmp_path / 'm.png', 5) == mask).all()
    assert (read_index_mask(tmp_path / 'm.tif', 5) == mask).all()
    with pytest.raises(InputError, match=r'm\.png: values \[4\] are neither classes \(0 to 3\)'):
        read_index_mask(tmp_path / 'm.png', 4)


def test_colour_mask_is_refused(tmp_path, image):
    cv2.imwrite(str(tmp_path / 'm.png'), image)
    with pytest.raises(InputError, match='color_masks'):
        read_index_mask(tmp_path / 'm.png', 5)


def test_palette_png_gives_indices_not_colours(tmp_path):
    from PIL import Image

    mask = np.array([[0, 1], [2, 255]], np.uint8)
    image = Image.fromarray(mask, mode='P')
    image.putpalette([200, 10, 10] * 256)
    image.save(tmp_path / 'm.png')
    assert (read_index_mask(tmp_path / 'm.png', 3) == mask).all()


@pytest.mark.parametrize('name', ['m.png', 'm.tif'])
def test_damaged_mask_is_named(tmp_path, name):
    (tmp_path / name).write_bytes(b'no mask')
    with pytest.raises(InputError, match=name):
        read_index_mask(tmp_path / name, 3)


@pytest.mark.parametrize('suffix', ['.jpg', '.png'])
def test_cut_off_files_are_refused(tmp_path, suffix):
    path = tmp_path / f'a{suffix}'
    cv2.imwrite(str(path), np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8))
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(InputError, match='cut off'):
        read_image(path)


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


@pytest.mark.parametrize(('bands', 'expected'), [(1, [0]), (2, [0, 1]), (3, [2, 1, 0]), (5, [2, 1, 0, 3, 4])])
def test_band_order_swaps_red_and_blue_and_is_its_own_inverse(bands, expected):
    order = band_order(bands)
    assert order == expected
    assert [order[band] for band in order] == list(range(bands))


def test_a_mask_is_opened_as_the_picture_that_it_is_named(tmp_path):
    Image.new('L', (4, 4)).save(tmp_path / 'm.gif')
    (tmp_path / 'm.gif').rename(tmp_path / 'm.png')
    with pytest.raises(InputError, match=r'm\.png: is a GIF by its content'):
        read_index_mask(tmp_path / 'm.png', 2)
