import dataclasses
import os
import re
import subprocess
import sys

import cv2
import numpy as np
import pytest
import rasterio
import rasterio.shutil
from PIL import Image
from rasterio.transform import from_origin

from projects.false import InputError
from projects.false.imagery.images import band_order, read_image, read_index_mask, read_mask, write_patch
from projects.false.imagery.mask_colors import ColorMoves
from projects.false.imagery.palettes import PALETTES, Palette
from tests.helpers.tools import REPOSITORY


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


def test_an_index_mask_with_more_pixels_than_pillow_opens(tmp_path, monkeypatch):
    indices = np.arange(400, dtype=np.uint8).reshape(20, 20) % 7
    palette = Image.fromarray(indices, 'P')
    palette.putpalette(np.random.default_rng(0).integers(0, 256, 21).astype(np.uint8).tobytes())
    palette.save(tmp_path / 'a.png')
    monkeypatch.setattr(Image, 'MAX_IMAGE_PIXELS', 100)  # 400 pixels are an error from here on
    np.testing.assert_array_equal(read_index_mask(tmp_path / 'a.png', 7), indices)


@pytest.mark.parametrize('suffix', ['.png', '.jpg'])
def test_images_with_more_pixels_than_opencv_decodes(tmp_path, suffix):
    colors = np.zeros((40, 40, 3), np.uint8)
    colors[:, 20:] = PALETTES['mbrsc'].colors[0]
    cv2.imwrite(str(tmp_path / f'a{suffix}'), colors[..., ::-1])
    whole = read_image(tmp_path / f'a{suffix}')
    script = (
        'import sys; from pathlib import Path; import numpy as np\n'
        'from projects.false.imagery.images import read_image, read_mask\n'
        'from projects.false.imagery.palettes import Palette\n'
        'palette = Palette("two", ("no", "yes"), ((0, 0, 0), tuple(map(int, sys.argv[2:]))), tolerance=60)\n'
        'np.save("image.npy", read_image(sys.argv[1])); np.save("mask.npy", read_mask(Path(sys.argv[1]), palette))'
    )
    command = [sys.executable, '-c', script, str(tmp_path / f'a{suffix}'), *map(str, PALETTES['mbrsc'].colors[0])]
    environment = {**os.environ, 'OPENCV_IO_MAX_IMAGE_PIXELS': '1000', 'PYTHONPATH': str(REPOSITORY)}
    subprocess.run(command, check=True, cwd=tmp_path, env=environment)
    assert np.abs(np.load(tmp_path / 'image.npy').astype(int) - whole).max() <= (0 if suffix == '.png' else 60)
    np.testing.assert_array_equal(np.load(tmp_path / 'mask.npy'), np.arange(40)[None].repeat(40, 0) >= 20)


def test_a_mask_is_opened_as_the_picture_that_it_is_named(tmp_path):
    Image.new('L', (4, 4)).save(tmp_path / 'm.gif')
    (tmp_path / 'm.gif').rename(tmp_path / 'm.png')
    with pytest.raises(InputError, match=r'm\.png: is a GIF by its content'):
        read_index_mask(tmp_path / 'm.png', 2)


INDEX = np.repeat(np.arange(4, dtype=np.uint8), 4)[:, None].repeat(16, axis=1)
HEAD = np.where(INDEX == 0, 255, INDEX).astype(np.uint8)  # class 0 without a label
COLORS = np.array([[0, 0, 0], [255, 0, 0], [0, 255, 0], [0, 0, 255]], np.uint8)
RGB = COLORS[INDEX]
PALETTE = Palette('four', ('bg', 'roof', 'grass', 'water'), tuple(tuple(map(int, color)) for color in COLORS))
INDICES = dataclasses.replace(PALETTE, index_masks=True)
GREY = Palette('two', ('no', 'yes'), ((0, 0, 0), (255, 255, 255)))
HALVES = (INDEX > 1).astype(np.uint8)
SHOWN = np.where(INDEX == 0, 0, 255).astype(np.uint8)  # transparency


def tif(pixels, colormap=None, **profile):
    def write(path):
        bands = pixels[None] if pixels.ndim == 2 else np.moveaxis(pixels, -1, 0)
        size = dict(zip(('count', 'height', 'width'), bands.shape, strict=True))
        with rasterio.open(path, 'w', driver='GTiff', dtype=bands.dtype, **size, **profile) as raster:
            raster.write(bands)
            if colormap:
                raster.write_colormap(1, colormap)

    return '.tif', write


def gdal(driver, pixels):
    def write(path):
        with rasterio.MemoryFile() as memory:
            tif(pixels)[1](memory.name)
            rasterio.shutil.copy(memory.name, path, driver=driver)

    return {'PNG': '.png', 'BMP': '.bmp', 'HFA': '.img'}[driver], write


def picture(pixels, mode=None, **options):
    return '.png', lambda path: Image.fromarray(pixels, mode).save(path, **options)


def low_bits(pixels, bits):
    """A grey PNG of fewer than 8 bits."""

    def write(path):
        with rasterio.MemoryFile() as memory:
            tif(pixels)[1](memory.name)
            rasterio.shutil.copy(memory.name, path, driver='PNG', NBITS=bits)

    return '.png', write


def indexed(pixels, colors, **options):
    def write(path):
        image = Image.fromarray(pixels, 'P')
        image.putpalette(colors.ravel().tolist())
        image.save(path, **options)

    return '.png', write


TABLE = {value: (*map(int, color), 255) for value, color in enumerate(COLORS)}
MASKS = {
    'RGB': (PALETTE, picture(RGB), INDEX),
    'RGB in 16 bits, 0 to 255': (PALETTE, tif(RGB.astype('uint16')), INDEX),
    'RGB PNG of 16 bits': (PALETTE, gdal('PNG', RGB.astype('uint16')), INDEX),
    'RGB in 16 bits, 0 to 65535': (PALETTE, tif(RGB.astype('uint16') * 257), INDEX),
    'RGB as float': (PALETTE, tif(RGB.astype('float32')), INDEX),
    'RGBA': (PALETTE, picture(np.dstack([RGB[::-1], SHOWN[::-1]])), HEAD[::-1]),
    'RGBA TIFF': (PALETTE, tif(np.dstack([RGB, SHOWN]), photometric='RGB', alpha='YES'), HEAD),
    'RGB with a transparent colour': (PALETTE, picture(RGB, transparency=(0, 0, 0)), HEAD),
    'RGB TIFF with nodata': (PALETTE, tif(RGB, nodata=0), HEAD),
    'colour table in TIFF': (PALETTE, tif(INDEX, TABLE), INDEX),
    'colour table in PNG': (PALETTE, indexed(INDEX, COLORS), INDEX),
    'transparent entry in PNG': (PALETTE, indexed(INDEX, COLORS, transparency=0), HEAD),
    'colour table in few bits': (PALETTE, indexed(INDEX, COLORS, bits=2), INDEX),
    'BMP': (PALETTE, gdal('BMP', RGB), INDEX),
    'Imagine': (PALETTE, gdal('HFA', RGB), INDEX),
    'grey as colours': (GREY, picture(HALVES * 255), HALVES),
    '1 bit as colours': (GREY, low_bits(HALVES, 1), HALVES),
    '1 bit TIFF as colours': (GREY, tif(HALVES, nbits=1), HALVES),
    '1 bit TIFF where 0 is white': (GREY, tif(HALVES, nbits=1, photometric='MINISWHITE'), 1 - HALVES),
    'grey with transparency as colours': (GREY, picture(np.dstack([HALVES * 255, SHOWN]), 'LA'), [255, 0, 1, 1]),
    'index': (INDICES, picture(INDEX), INDEX),
    'index of 4 bits': (INDICES, low_bits(INDEX, 4), INDEX),
    'index of 2 bits': (INDICES, low_bits(INDEX, 2), INDEX),
    'index of 1 bit': (INDICES, low_bits(HALVES, 1), HALVES),
    'index of 1 bit TIFF': (INDICES, tif(HALVES, nbits=1), HALVES),
    'index PNG of 16 bits': (INDICES, gdal('PNG', INDEX.astype('uint16')), INDEX),
    'index as int8': (INDICES, tif(INDEX.astype('int8')), INDEX),
    'index as int16': (INDICES, tif(INDEX.astype('int16')), INDEX),
    'index as uint32': (INDICES, tif(INDEX.astype('uint32')), INDEX),
    'index as float64': (INDICES, tif(INDEX.astype('float64')), INDEX),
    'index with NaN': (INDICES, tif(np.where(INDEX == 0, np.nan, INDEX).astype('float32')), HEAD),
    'index with nodata': (INDICES, tif(INDEX, nodata=0), HEAD),
    'index with nodata -1': (INDICES, tif(INDEX.astype('int16') - (INDEX == 0), nodata=-1), HEAD),
    'index in three bands': (INDICES, picture(np.dstack([INDEX] * 3)), INDEX),
    'index with transparency': (INDICES, picture(np.dstack([INDEX, SHOWN]), 'LA'), HEAD),
    'index in RGBA': (INDICES, picture(np.dstack([INDEX] * 3 + [SHOWN])), HEAD),
    'index with a table in TIFF': (INDICES, tif(INDEX, TABLE), INDEX),
    'index with a table in PNG': (INDICES, indexed(INDEX, COLORS, bits=2), INDEX),
    'index as Imagine': (INDICES, gdal('HFA', INDEX), INDEX),
}


@pytest.mark.filterwarnings('ignore')
@pytest.mark.parametrize('form', MASKS)
def test_masks_in_every_form(tmp_path, form):
    palette, (suffix, write), expected = MASKS[form]
    write(tmp_path / f'm{suffix}')
    expected = np.array(expected)
    expected = np.repeat(expected, 4)[:, None].repeat(16, axis=1) if expected.ndim == 1 else expected
    np.testing.assert_array_equal(read_mask(tmp_path / f'm{suffix}', palette), expected)


SMEARED = cv2.resize(HALVES[::3] * 255, (16, 16), interpolation=cv2.INTER_CUBIC)
REFUSED = {
    'three different bands as index': (INDICES, picture(RGB), 'index mask has one band, this has 3 that differ'),
    'fractions as index': (INDICES, tif(INDEX + np.float32(0.5)), r'values \[0\.5, .* are neither classes'),
    'large values as index': (
        INDICES,
        tif(INDEX.astype('uint16') * 400),
        r'values \[400, .*rio edit-info --nodata 400',
    ),
    'negative index': (INDICES, tif(INDEX.astype('int16') - 1), r'values \[-1\] .*--nodata -1 m\.tif'),
    'complex index': (INDICES, tif(INDEX.astype('complex64')), 'complex numbers .*DERIVED_SUBDATASET:AMPLITUDE'),
    'grey levels as index': (INDICES, picture(SMEARED), r'#000000 and #FFFFFF with "tolerance"'),
    'grey levels as colours': (GREY, picture(SMEARED), 'all are grey: .* a smeared one "tolerance"'),
    '12 bits as colours': (GREY, tif(INDEX.astype('uint16') * 1000), '0 to 3000 .*gdal_translate -ot Byte'),
    'two bands as colours': (GREY, tif(RGB[..., :2]), 'one or three bands, this has 2'),
}


@pytest.mark.filterwarnings('ignore')
@pytest.mark.parametrize('form', REFUSED)
def test_other_masks_are_refused_with_a_way_out(tmp_path, form):
    palette, (suffix, write), message = REFUSED[form]
    write(tmp_path / f'm{suffix}')
    with pytest.raises(InputError, match=message):
        read_mask(tmp_path / f'm{suffix}', palette)


@pytest.mark.parametrize('suffix', ['.jpg', '.png'])
def test_lossy_masks_take_the_nearest_colour_within_the_tolerance(tmp_path, suffix):
    index = np.repeat(np.arange(4, dtype=np.uint8), 16)[:, None].repeat(64, axis=1)
    data = cv2.imencode('.jpg', COLORS[index][..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 70])[1]
    lossy = cv2.imdecode(data, cv2.IMREAD_COLOR)
    path = tmp_path / f'm{suffix}'
    path.write_bytes(data.tobytes() if suffix == '.jpg' else cv2.imencode('.png', lossy)[1].tobytes())
    with pytest.raises(InputError, match=r'more colors not in palette .*--nearest-color (\d+)') as error:
        read_mask(path, PALETTE)
    farthest = int(re.search(r'--nearest-color (\d+)', str(error.value))[1])
    moves = ColorMoves()
    found = read_mask(path, PALETTE.with_tolerance(farthest), moves)
    distance = np.sqrt(((lossy[..., None, ::-1].astype(int) - COLORS) ** 2).sum(-1))
    np.testing.assert_array_equal(found, distance.argmin(-1))
    assert (moves.pixels, moves.moved) == (index.size, (distance.min(-1) > 0).sum())
    assert moves.farthest == pytest.approx(distance.min(-1).max())
    with pytest.raises(InputError, match=f'is {moves.farthest:.1f} from a listed color, beyond the tolerance 5'):
        read_mask(path, PALETTE.with_tolerance(5))
