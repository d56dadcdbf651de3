"""Every reader gives the same pixels and the same nodata for an image, whatever its container says them by."""

from itertools import product
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import rasterio
import rasterio.shutil
from PIL import Image

from projects.false import InputError
from projects.false.converters.rasters import convert_rasters
from projects.false.datasets.patches import UnlabelledPatches
from projects.false.datasets.raster_windows import RasterWindows
from projects.false.imagery.images import band_order, read_image
from projects.false.imagery.rasters import inspect_rasters
from projects.false.mapping.pixel_rule import PixelRule
from projects.false.mapping.sources import read_rows
from projects.false.mapping.windows import Pixels
from projects.false.patch_folder.packing import pack

HEIGHT, WIDTH, SIDE = 24, 40, 8
LOW, HIGH = 10, 900  # range of what is not 8 bit
DRIVERS = {'.jpg': 'JPEG', '.png': 'PNG', '.bmp': 'BMP', '.webp': 'WEBP', '.jp2': 'JP2OpenJPEG', '.img': 'HFA'}
DRIVERS |= {'.vrt': 'VRT', '.tif': 'GTiff', '.geotiff': 'GTiff'}

TYPES = {suffix: ['uint8'] for suffix in DRIVERS} | {'.png': ['uint8', 'uint16'], '.jp2': ['uint8', 'uint16']}
TYPES |= {
    key: ['uint8', 'uint16', 'int16', 'float32', 'uint32', 'float64', 'int32'] for key in ('.tif', '.img', '.vrt')
}
BANDS = {suffix: [1, 3, 4] for suffix in DRIVERS} | {
    '.tif': [1, 2, 3, 4, 5],
    '.img': [2, 3, 5],
    '.bmp': [1, 3],
    '.jpg': [1, 3],
    '.webp': [3],
}
FORMS = {suffix: ['none', 'value', 'file'] for suffix in DRIVERS}
FORMS |= {
    '.jpg': ['none', 'mask', 'file', 'trailer'],
    '.png': ['none', 'value', 'alpha', 'file'],
    '.bmp': ['none', 'file'],
}
FORMS |= {
    '.webp': ['none', 'alpha'],
    '.vrt': ['none', 'value', 'mask'],
    '.tif': ['none', 'value', 'mask', 'alpha', 'file', 'nan'],
}
FORMS |= {'.jp2': ['none', 'file'], '.geotiff': ['value']}
LAYOUTS = {'.tif': ['strips', 'tiles', 'planes', 'white is 0', 'lossy', 'big']}


def possible(suffix, kind, bands, form, layout):
    return not (
        (form == 'nan' and not kind.startswith('float'))
        or (form == 'alpha' and (bands not in (1, 3) or kind not in ('uint8', 'uint16')))
        or (layout == 'lossy' and (kind != 'uint8' or bands not in (1, 3) or form == 'value'))
        or (layout == 'white is 0' and (bands > 1 or not kind.startswith('uint') or form == 'alpha'))
    )


def cases():
    """Every container with every form of nodata and every layout, types and numbers of bands in turn."""
    turn = 0
    for suffix in DRIVERS:
        for form, layout in product(FORMS[suffix], LAYOUTS.get(suffix, ['strips'])):
            fitting = [
                (suffix, kind, bands, form, layout)
                for bands, kind in product(BANDS[suffix], TYPES[suffix])
                if possible(suffix, kind, bands, form, layout)
            ]
            if fitting:
                turn += 5
                yield '-'.join(map(str, fitting[turn % len(fitting)]))


CASES = list(cases())


def make(folder, suffix, kind, bands, form, layout):
    """Write an image, half of whose upper left quarter has no data, and return its path."""
    generator = np.random.default_rng(len(suffix) + bands)
    pixels = generator.integers(11, 255 if kind == 'uint8' else 1000, (bands, HEIGHT, WIDTH)).astype(kind)
    there = np.ones((HEIGHT, WIDTH), bool)
    there[:10, :20] = generator.random((10, 20)) > 0.5
    there[12:14] = False
    if form == 'value':
        pixels[:, ~there] = 7
    if form == 'nan':
        pixels[0, ~there] = np.nan
    if form == 'alpha':
        pixels = np.concatenate([pixels, np.where(there, np.iinfo(kind).max if kind[0] == 'u' else 255, 0)[None]])
    profile = dict(driver='GTiff', height=HEIGHT, width=WIDTH, count=len(pixels), dtype=kind, photometric='MINISBLACK')
    profile |= {'photometric': 'RGB'} if bands > 2 else {'photometric': 'MINISWHITE'} if layout == 'white is 0' else {}
    profile |= {'alpha': 'YES' if form == 'alpha' else 'NO'}
    tiles = dict(tiled=True, blockxsize=16, blockysize=16)
    profile |= {
        'tiles': tiles,
        'planes': dict(interleave='band'),
        'big': dict(BIGTIFF='YES', ENDIANNESS='BIG', compress='deflate', predictor=2 if 'int' in kind else 3),
        'lossy': tiles | dict(compress='JPEG') | (dict(photometric='YCBCR') if len(pixels) == 3 else {}),
    }.get(layout, {})
    profile |= {'nodata': 7} if form == 'value' else {}
    source = folder / f'source{suffix if DRIVERS[suffix] == "GTiff" else ".tif"}'
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(source, 'w', **profile) as raster:
        raster.write(pixels.astype(kind))
        if form == 'mask':
            raster.write_mask(there)
    path = folder / 'in' / f'scene{suffix}'
    path.parent.mkdir()
    if DRIVERS[suffix] == 'GTiff':
        source.rename(path)
    else:
        exact = {'.jp2': dict(QUALITY=100, REVERSIBLE='YES'), '.webp': dict(LOSSLESS='YES'), '.jpg': dict(QUALITY=95)}
        rasterio.shutil.copy(source, path, driver=DRIVERS[suffix], **exact.get(suffix, {}))
    if form == 'file':  # a mask beside the image
        with (
            rasterio.Env(GDAL_TIFF_INTERNAL_MASK=False),
            rasterio.open(folder / 'beside.tif', 'w', **profile) as raster,
        ):
            raster.write_mask(there)
        (folder / 'beside.tif.msk').rename(f'{path}.msk')
    if form == 'trailer':
        path.write_bytes(path.read_bytes() + b'a phone writes its notes here \xff\xda \xff\xd8' * 9)
    return path


def truth(path, bands, layout):
    """What rasterio says: 8-bit pixels, red first, 0 where there is no data; and where there is data."""
    with rasterio.open(path) as raster:
        pixels = np.moveaxis(raster.read(range(1, bands + 1)), 0, -1)
        valid = (raster.read_masks(range(1, bands + 1)) > 0).any(axis=0)
        if 'float' in raster.dtypes[0]:
            valid &= np.isfinite(pixels).all(axis=-1)
    if path.suffix == '.jpg':
        found = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        pixels = found[..., None] if found.ndim == 2 else found[..., ::-1]
    if layout == 'white is 0':
        pixels = np.iinfo(pixels.dtype).max - pixels
    if pixels.dtype != np.uint8:
        scaled = np.rint((pixels.astype(np.float32) - LOW) * np.float32(255 / (HIGH - LOW)))
        pixels = np.nan_to_num(scaled).clip(0, 255)
    return np.where(valid[..., None], pixels, 0).astype(np.uint8), valid


def as_map(path, bands, ranges):
    (raster,) = inspect_rasters([path])
    rule = PixelRule(tuple(range(1, bands + 1)), ranges and tuple(ranges for _ in range(bands)))
    rows = list(read_rows(raster, rule, threads=2))
    return tuple(
        np.concatenate([np.concatenate([getattr(part, what) for part in row], axis=1) for row in rows])
        for what in Pixels._fields
    )


def as_windows(path, bands, ranges):
    data = RasterWindows(str(path), SIDE, shift=0, bands=range(1, bands + 1), max_nodata=0.999, value_range=ranges)
    pixels = np.zeros((HEIGHT, WIDTH, bands), np.uint8)
    for index in range(len(data)):
        row, column = map(int, data.get_data_info(index)['img_path'].split('_')[-2:])
        part = data.get_data_info(index)['read_image']()
        pixels[row : row + SIDE, column : column + SIDE] = part[..., band_order(bands)]
    return pixels, None


def as_patches(path, bands, ranges):
    chosen = list(range(1, bands + 1))
    description = convert_rasters(
        [path.parent], path.parent.parent / 'cut', SIDE, max_nodata=1, value_range=ranges, bands=chosen, workers=1
    ).description
    pixels = np.zeros((HEIGHT, WIDTH, bands), np.uint8)
    for patch in description['patches']:
        (file,) = (path.parent.parent / 'cut' / 'images').glob(f'{patch["name"]}.*')
        part = np.s_[patch['row'] : patch['row'] + SIDE, patch['col'] : patch['col'] + SIDE]
        pixels[part] = read_image(file, bands)[..., band_order(bands)]
    missing = sum(patch['nodata'] for patch in description['patches']) + description['dropped_windows']
    return pixels, SimpleNamespace(mean=lambda: 1 - missing * SIDE**2 / (HEIGHT * WIDTH))


def as_image(path, bands, ranges):
    return read_image(path, bands)[..., band_order(bands)], None


def as_training(path, bands, ranges):
    data = UnlabelledPatches(
        str(path.parent), data_prefix=dict(img_path=''), pipeline=[dict(type='LoadPatch', bands=bands)]
    )
    return data[0]['img'][..., band_order(bands)], None


def as_packed(path, bands, ranges):
    packed, _ = pack(path.parent.parent, images='in', bands=bands, workers=1)
    return packed.image(0)[..., band_order(bands)], None


READERS = (as_map, as_windows, as_patches, as_image, as_training, as_packed)


@pytest.mark.filterwarnings('ignore')
@pytest.mark.parametrize('case', CASES)
def test_all_readers_agree_with_rasterio(tmp_path, case):
    suffix, kind, bands, form, layout = case.split('-')
    path = make(tmp_path, suffix, kind, int(bands), form, layout)
    pixels, valid = truth(path, int(bands), layout)
    assert valid.all() == (form in ('none', 'trailer'))
    ranges = None if kind == 'uint8' else (LOW, HIGH)
    for read in READERS if kind == 'uint8' else READERS[:3]:
        found, there = read(path, int(bands), ranges)
        np.testing.assert_array_equal(found, pixels, err_msg=read.__name__)
        if there is not None:
            assert there.mean() == pytest.approx(valid.mean(), abs=1e-4), read.__name__


COLORS = np.array([[255, 255, 255], [0, 200, 0], [9, 8, 7]], np.uint8)


@pytest.mark.filterwarnings('ignore')
@pytest.mark.parametrize('suffix', ['.tif', '.png', '.img', '.bmp'])
@pytest.mark.parametrize('nodata', [None, 2])
def test_colour_tables_are_expanded_alike(tmp_path, suffix, nodata):
    indices = np.random.default_rng(0).integers(0, 3, (HEIGHT, WIDTH)).astype('uint8')
    profile = dict(driver='GTiff', height=HEIGHT, width=WIDTH, count=1, dtype='uint8', nodata=nodata)
    with rasterio.open(tmp_path / 'source.tif', 'w', **profile) as raster:
        raster.write(indices, 1)
        raster.write_colormap(1, {value: (*map(int, color), 255) for value, color in enumerate(COLORS)})
    path = tmp_path / 'in' / f'scene{suffix}'
    path.parent.mkdir()
    rasterio.shutil.copy(tmp_path / 'source.tif', path, driver=DRIVERS[suffix])
    with rasterio.open(path) as raster:
        assert raster.count == 1
        valid = raster.dataset_mask() > 0
    pixels = np.where(valid[..., None], COLORS[indices], 0)
    for read in READERS:
        found, there = read(path, 3, None)
        np.testing.assert_array_equal(found, pixels, err_msg=read.__name__)
        assert there is None or there.mean() == pytest.approx(valid.mean(), abs=1e-4)


@pytest.mark.filterwarnings('ignore')
def test_transparent_colours_of_a_table_are_nodata(tmp_path):
    indices = np.random.default_rng(0).integers(0, 3, (HEIGHT, WIDTH)).astype('uint8')
    picture = Image.fromarray(indices, 'P')
    picture.putpalette(COLORS.ravel().tolist())
    (tmp_path / 'in').mkdir()
    picture.save(tmp_path / 'in' / 'scene.png', transparency=1)
    for read in READERS:
        found, _ = read(tmp_path / 'in' / 'scene.png', 3, None)
        np.testing.assert_array_equal(found, np.where(indices[..., None] == 1, 0, COLORS[indices]), read.__name__)


@pytest.mark.filterwarnings('ignore')
@pytest.mark.parametrize('kind', ['complex64', 'complex128', 'complex_int16'])
def test_complex_numbers_are_refused(tmp_path, kind):
    path = tmp_path / 'in' / 'scene.tif'
    path.parent.mkdir()
    with rasterio.open(path, 'w', driver='GTiff', height=HEIGHT, width=WIDTH, count=1, dtype=kind) as raster:
        raster.write(np.ones((1, HEIGHT, WIDTH), 'complex64'))
    for read in READERS:
        with pytest.raises(InputError, match=r'scene\.tif: pixels are complex numbers .*gdal_translate DERIVED_SUB'):
            read(path, 1, (LOW, HIGH))


@pytest.mark.filterwarnings('ignore')
@pytest.mark.parametrize(('suffix', 'bits'), [('.tif', 4), ('.tif', 3), ('.png', 1)])
def test_values_of_few_bits_go_from_black_to_white(tmp_path, suffix, bits):
    values = np.random.default_rng(0).integers(0, 1 << bits, (HEIGHT, WIDTH)).astype('uint8')
    profile = dict(driver=DRIVERS[suffix], height=HEIGHT, width=WIDTH, count=1, dtype='uint8', nbits=bits)
    path = tmp_path / 'in' / f'scene{suffix}'
    path.parent.mkdir()
    with rasterio.open(path, 'w', **profile) as raster:
        raster.write(values, 1)
    pixels = np.rint(values * (255 / ((1 << bits) - 1))).astype(np.uint8)[..., None]
    for read in READERS:
        np.testing.assert_array_equal(read(path, 1, None)[0], pixels, err_msg=read.__name__)


@pytest.mark.filterwarnings('ignore')
@pytest.mark.parametrize('suffix', ['.jpg', '.tif'])
def test_cmyk_is_read_as_the_colours_that_it_shows(tmp_path, suffix):
    colors = np.repeat(np.random.default_rng(0).integers(0, 255, (3, 5, 3), np.uint8), 8, axis=0).repeat(8, axis=1)
    path = tmp_path / 'in' / f'scene{suffix}'
    path.parent.mkdir()
    Image.fromarray(colors).convert('CMYK').save(path, quality=95)
    shown = as_image(path, 3, None)[0]
    assert np.abs(shown.astype(int) - colors).mean() < 6
    for read in READERS:
        np.testing.assert_array_equal(read(path, 3, None)[0], shown, err_msg=read.__name__)
