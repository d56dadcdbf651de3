import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import rasterio
from mmengine.dataset import pseudo_collate
from mmengine.registry import DATASETS
from rasterio.enums import ColorInterp
from rasterio.transform import from_origin
from torch.utils.data import DataLoader

from projects.false import InputError
from projects.false.datasets.raster_windows import RasterWindows
from projects.false.datasets.seeding import SampleIndex, SeededSampler
from tests.helpers.tools import REPOSITORY

SHARED = Path(os.environ.get('FALSE_SHARED_DATA', REPOSITORY.parent / 'shared' / 'data'))
LOAD = [{'type': 'LoadPatch'}]


def write(path, pixels, **profile):
    """A GeoTIFF of (bands, H, W)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    bands, height, width = pixels.shape
    place = {'crs': 'EPSG:32633', 'transform': from_origin(3e5, 5e6, 0.5, 0.5)}
    shape = {'count': bands, 'height': height, 'width': width, 'dtype': pixels.dtype}
    with rasterio.open(path, 'w', driver='GTiff', **place, **shape, **profile) as raster:
        raster.write(pixels)
    return path


@pytest.fixture
def pixels():
    """Pixels that encode their position: the row in the first band, the column in the second."""
    rows, cols = np.mgrid[:100, :130].astype(np.uint8)
    return np.stack([rows + 1, cols + 1, np.full_like(rows, 7)])


@pytest.fixture
def source(tmp_path, pixels):
    write(tmp_path / 'b.tif', pixels)
    write(tmp_path / 'deep' / 'a.tif', pixels[:, :40, :40])
    return tmp_path


def windows(source, size=32, **options):
    return RasterWindows(data_root=str(source), size=size, pipeline=options.pop('pipeline', LOAD), **options)


def where(sample):
    """First row and column of a window, red being the first band."""
    return int(sample['img'][0, 0, 2]) - 1, int(sample['img'][0, 0, 1]) - 1


def test_cells_cover_the_rasters_and_pixels_are_theirs(source, pixels):
    data = windows(source)
    assert len(data) == 4 * 5 + 2 * 2
    for index in range(len(data)):
        sample = data[index]  # a plain index: the cell itself
        image = pixels if index < 20 else pixels[:, :40, :40]
        row, col = where(sample)
        assert (sample['img'] == np.moveaxis(image[::-1, row : row + 32, col : col + 32], 0, -1)).all()
        path = source / ('b.tif' if index < 20 else 'deep/a.tif')
        assert sample['img_path'] == f'{path}/{path.stem}_{row}_{col}'
        assert sample['sample_idx'] == index
    assert where(data[19]) == (68, 98)


def test_a_visit_has_its_window_near_the_cell(source):
    data = windows(source)
    found = [where(data[SampleIndex(6, (0, epoch, 3))]) for epoch in range(40)]
    assert found == [where(data[SampleIndex(6, (0, epoch, 3))]) for epoch in range(40)]
    rows, cols = np.array(found).T
    assert rows.min() >= 32 - 16
    assert rows.max() <= 32 + 16
    assert len(set(rows)) > 10
    assert cols.min() >= 32 - 16
    assert cols.max() <= 32 + 16
    assert len(set(cols)) > 10
    assert {where(windows(source, shift=0)[SampleIndex(6, (0, epoch, 3))]) for epoch in range(5)} == {(32, 32)}


def test_workers_read_the_same(source):
    def epoch(workers):
        data = windows(source)
        loader = DataLoader(
            data, 4, sampler=SeededSampler(data, seed=1), num_workers=workers, collate_fn=pseudo_collate
        )
        return [(batch['sample_idx'], batch['img']) for batch in loader]

    for (cells, images), (same_cells, same_images) in zip(epoch(0), epoch(2), strict=True):
        assert cells == same_cells
        assert all((a == b).all() for a, b in zip(images, same_images, strict=True))


def test_epochs_of_a_given_length_go_through_all_cells(source):
    data = windows(source, samples_per_epoch=10)
    assert len(data) == 10
    seen = [data.get_data_info(SampleIndex(i, (5, epoch, i)))['sample_idx'] for epoch in range(12) for i in range(10)]
    for turn in range(5):
        assert sorted(seen[24 * turn : 24 * turn + 24]) == list(range(24))
    assert seen[:24] != seen[24:48]
    other = [data.get_data_info(SampleIndex(i, (6, 0, i)))['sample_idx'] for i in range(10)]
    assert other != seen[:10]


def test_nodata_is_left_out(tmp_path, pixels):
    pixels[:, :, :64] = 0
    write(tmp_path / 'a.tif', pixels, nodata=0)
    data = windows(tmp_path)
    assert sorted({where(data[index])[1] for index in range(len(data))}) == [64, 96, 98]
    for epoch in range(30):
        sample = data[SampleIndex(0, (0, epoch, 0))]
        assert (sample['img'] == 0).all(-1).mean() <= 0.5
    assert len(windows(tmp_path, max_nodata=0.0)) == 12
    pixels[:, :, 64:] = 0
    write(tmp_path / 'a.tif', pixels, nodata=0)
    with pytest.raises(InputError, match=r'all 20 windows have more than 50% nodata; raise max_nodata'):
        windows(tmp_path)


def test_no_nodata_value_means_black_is_data(tmp_path, pixels):
    write(tmp_path / 'a.tif', pixels * 0)
    assert len(windows(tmp_path)) == 20


def test_sixteen_bits_need_a_range(tmp_path, pixels):
    path = write(tmp_path / 'a.tif', pixels.astype(np.uint16) * 10 + 1000)
    with pytest.raises(InputError, match=r'a.tif: pixels are uint16, 8 bit .*value_range=\(low, high\).*rasters.py'):
        windows(path)
    sample = windows(path, value_range=(1000, 3550))[0]
    assert where(sample) == (0, 0)
    assert (sample['img'][..., 0] == 7).all()
    assert (windows(path, value_range=(0, 100))[0]['img'] == 255).all()


def test_nan_is_nodata(tmp_path, pixels):
    pixels = pixels.astype(np.float32)
    pixels[:, :, :40] = np.nan
    data = windows(write(tmp_path / 'a.tif', pixels), value_range=(0, 255))
    assert len(data) == 4 * 4
    image = data[0]['img']
    assert (image[:, :8] == 0).all()
    assert (image[:, 8:] > 0).all()


def test_bands_of_choice(tmp_path, pixels):
    path = write(tmp_path / 'a.tif', np.concatenate([pixels, pixels[:1] * 0, pixels[2:] + 1]))
    with rasterio.open(path, 'r+') as raster:  # near infrared that the file calls transparency
        raster.colorinterp = [*raster.colorinterp[:3], ColorInterp.alpha, ColorInterp.undefined]
    image = windows(path, bands=[1, 2, 3, 4, 5], pipeline=[{'type': 'LoadPatch', 'bands': 5}])[0]['img']
    assert image[0, 0].tolist() == [7, 1, 1, 0, 8]
    assert windows(path, bands=[5], pipeline=[{'type': 'LoadPatch', 'bands': 1}])[0]['img'].shape == (32, 32, 1)
    with pytest.raises(InputError, match=r'has 5 band\(s\), bands are \[1, 6\]'):
        windows(path, bands=[1, 6])
    with pytest.raises(InputError, match=r'has 4 band\(s\), 3 are needed; set LoadPatch\(bands=4\)'):
        windows(path, bands=[1, 2, 3, 4])[0]


def test_a_damaged_raster_is_named_or_skipped(tmp_path, pixels):
    path = write(tmp_path / 'a.tif', pixels, tiled=True, blockxsize=32, blockysize=32, compress='deflate')
    os.truncate(path, path.stat().st_size * 2 // 3)
    last = len(windows(path)) - 1
    with pytest.raises(InputError, match=r'a.tif: cannot be read at row 68, column 98 .*copy it again'):
        windows(path)[last]
    data = windows(path, max_unreadable=20)
    assert data[last]['sample_idx'] == 0
    assert data.unreadable == [last]
    path.write_bytes(b'')
    with pytest.raises(InputError, match=r'a.tif: cannot be read as a raster'):
        windows(path)
    path.rename(tmp_path / 'a.vrt')
    with pytest.raises(InputError, match=r'a.vrt: cannot be read as a VRT'):
        windows(tmp_path / 'a.vrt')


def test_a_pickle_has_no_handles(source):
    data = windows(source)
    data[0]
    copy = pickle.loads(pickle.dumps(data))
    assert copy.reader._open == {}
    assert (copy[3]['img'] == data[3]['img']).all()


@pytest.mark.parametrize(
    ('options', 'text'),
    [
        ({'size': 0}, 'size of RasterWindows must be an integer of at least 1, got 0'),
        ({'size': 64.5}, 'size of RasterWindows must be an integer'),
        ({'stride': 0}, 'stride of RasterWindows must be an integer'),
        ({'shift': -1}, 'shift of RasterWindows is a number of pixels from 0 on'),
        ({'size': 101}, 'b.tif: .*smaller than the patch size 101'),
        ({'stride': 40}, 'stride is 40'),
        ({'bands': [0, 1]}, 'counted from 1'),
        ({'bands': 4}, 'a list of numbers, counted from 1, got 4'),
        ({'max_nodata': 1.0}, 'max_nodata'),
        ({'max_nodata': 'x'}, 'max_nodata'),
        ({'value_range': 5}, 'value_range'),
        ({'value_range': (1, 'x')}, 'value_range'),
        ({'value_range': (5, 5)}, 'value_range'),
        ({'samples_per_epoch': 0}, 'samples_per_epoch'),
        ({'packed': True}, 'packed=True does not fit'),
        ({'ann_file': 'none.txt'}, 'no such list'),
    ],
)
def test_arguments_out_of_range(source, options, text):
    with pytest.raises(InputError, match=text):
        windows(source, **options)


def test_a_single_raster_and_a_list(source):
    assert len(windows(source / 'deep' / 'a.tif')) == 4
    with pytest.raises(InputError, match=r"a single raster, with the list .*set ann_file=''"):
        windows(source / 'deep' / 'a.tif', ann_file='list.txt')
    (source / 'list.txt').write_text('deep/a\n')
    assert len(windows(source, ann_file='list.txt')) == 4


def test_a_recipe_takes_it_by_its_options(source):
    from mmengine.config import Config

    config = Config.fromfile(REPOSITORY / 'configs' / 'false_simclr_r18_synthetic.py')
    options = {
        'type': 'RasterWindows',
        'size': 32,
        'data_root': str(source),
        'ann_file': '',
        'data_prefix.img_path': '',
        'evidence': None,
    }
    config.merge_from_dict({f'train_dataloader.dataset.{key}': value for key, value in options.items()})
    config.train_dataloader.dataset.pipeline = LOAD
    assert len(DATASETS.build(config.train_dataloader.dataset)) == 24


def test_real_imagery(tmp_path):
    folder = SHARED / 'georef'
    if not folder.is_dir():
        pytest.skip(f'needs the GeoTIFFs in {folder}')
    scenes = tmp_path / 'scenes.txt'
    scenes.write_text('aerial_rgb_epsg28992_025m\nlandsat_rgb_epsg32618_nodata0\n')
    data = windows(folder, 128, ann_file=str(scenes))
    landsat = [index for index in range(len(data)) if 'landsat' in data.get_data_info(index)['img_path']]
    assert 0 < len(landsat) < 7 * 6  # the corners of the scene have no data
    for index in landsat:
        assert (data[SampleIndex(index, (0, 0, index))]['img'] == 0).all(-1).mean() <= 0.6
