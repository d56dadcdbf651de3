import json
import os
from pathlib import Path

import numpy as np
import pytest
import rasterio
from PIL import Image

from projects.false import InputError
from projects.false.converters.rasters import convert_rasters
from projects.false.datasets.patches import UnlabelledPatches
from projects.false.imagery.images import read_image
from projects.false.imagery.levels import to_8_bit
from projects.false.imagery.rasters import patch_transform
from tests.helpers.converter_inputs import jpeg, png, tiff, write_files
from tests.helpers.tools import REPOSITORY

SHARED = Path(os.environ.get('FALSE_SHARED_DATA', REPOSITORY.parent / 'shared' / 'data'))


def noise(shape, dtype='uint8', high=256, seed=0):
    return np.random.default_rng(seed).integers(0, high, shape).astype(dtype)


def convert(folder, *, size=16, **options):
    return convert_rasters([folder / 'in'], folder / 'out', size, workers=2, **options).description


def test_8_bit_images_of_any_kind_are_cut_untouched(tmp_path):
    pixels = noise((40, 33, 3))
    write_files(tmp_path / 'in', {'a.tif': tiff(pixels), 'deep/b.PNG': png(pixels), 'c.jpeg': jpeg(pixels)})
    described = convert(tmp_path)
    assert json.loads((tmp_path / 'out/dataset.json').read_text()) == described
    assert len(described['patches']) == 3 * 3 * 3
    names = (tmp_path / 'out/splits/pretrain.txt').read_text().split()
    assert names == [patch['name'] for patch in described['patches']]
    for patch in described['patches']:
        if patch['source'] != 'c':
            window = np.s_[patch['row'] : patch['row'] + 16, patch['col'] : patch['col'] + 16]
            found = np.array(Image.open(tmp_path / f'out/images/{patch["name"]}.png'))
            np.testing.assert_array_equal(found, pixels[window])
    assert (described['ranges'], 'classes' in described) == (None, False)
    data = UnlabelledPatches(data_root=str(tmp_path / 'out'), ann_file='splits/pretrain.txt')
    assert len(data) == 27


def test_patches_know_their_place(tmp_path):
    write_files(tmp_path / 'in', {'a.tif': tiff(noise((40, 40, 3)))})
    described = convert(tmp_path)
    source, last = described['sources']['a'], described['patches'][-1]
    assert source['crs'] == 'EPSG:32633'
    with rasterio.open(tmp_path / 'in/a.tif') as raster:
        window = rasterio.windows.Window(last['col'], last['row'], 16, 16)
        expected = list(raster.window_transform(window))[:6]
    assert patch_transform(source['transform'], last['row'], last['col']) == pytest.approx(expected)


def test_16_bit_has_one_range_a_band_for_all_images(tmp_path):
    dark, bright = (noise((64, 64, 3), 'uint16', 1000, seed) + offset for seed, offset in ((0, 0), (1, 3000)))
    write_files(tmp_path / 'in', {'dark.tif': tiff(dark), 'bright.tif': tiff(bright.astype('uint16'))})
    described = convert(tmp_path, size=64)
    both = np.stack([dark, bright]).reshape(-1, 3)
    for band, (low, high) in enumerate(described['ranges']):
        assert [low, high] == pytest.approx(np.percentile(both[:, band], [2, 98]), abs=2)
    found = read_image(tmp_path / 'out/images/dark_0_0.png')[..., ::-1]
    low, high = np.array(described['ranges']).T
    np.testing.assert_allclose(found, ((dark - low) / (high - low)).clip(0, 1) * 255, atol=0.51)
    assert found.max() < 128 < read_image(tmp_path / 'out/images/bright_0_0.png').min()
    (tmp_path / 'out').rename(tmp_path / 'first')
    assert convert(tmp_path, size=64, stretch=(0, 100))['ranges'] == [
        [float(band.min()), float(band.max())] for band in both.T
    ]


def test_signed_and_floating_point_pixels(tmp_path):
    pixels = noise((32, 32, 3), 'int16', 2000) - 1000
    write_files(tmp_path / 'in', {'a.tif': tiff(pixels.astype('int16'))})
    assert convert(tmp_path, stretch=(0, 100))['ranges'][0][0] == pixels[..., 0].min()
    real = (pixels / 1000).astype('float32')
    real[:16, :16] = np.nan
    real[20, 20] = np.inf
    write_files(tmp_path / 'in', {'a.tif': tiff(real)})
    with pytest.raises(InputError, match=r'a\.tif: pixels are float32.*--range LOW HIGH'):
        convert(tmp_path, overwrite=True)
    described = convert(tmp_path, overwrite=True, value_range=(-1, 1))
    assert described['dropped_windows'] == 1
    found = read_image(tmp_path / 'out/images/a_16_16.png')[..., ::-1]
    expected = ((real[16:, 16:] + 1) / 2 * 255).clip(0, 255)
    expected[4, 4] = 0
    np.testing.assert_allclose(found, expected, atol=0.51)


def test_windows_with_too_much_nodata_are_dropped_and_counted(tmp_path):
    pixels = noise((48, 48, 3)) // 2 + 1
    pixels[:16, :20] = 0
    pixels[40, 40, 0] = 0  # a dark band is no nodata
    write_files(tmp_path / 'in', {'a.tif': tiff(pixels, nodata=0)})
    described = convert(tmp_path)
    assert described['dropped_windows'] == 2
    assert described['sources']['a']['patches'] == len(described['patches']) == 7
    kept = convert(tmp_path, overwrite=True, max_nodata=0.25)
    assert kept['dropped_windows'] == 1
    patch = next(patch for patch in kept['patches'] if patch['name'] == 'a_0_16')
    assert patch['nodata'] == 0.25
    valid = np.concatenate([pixels[np.s_[p['row'] : p['row'] + 16, p['col'] : p['col'] + 16]] for p in kept['patches']])
    valid = valid.reshape(-1, 3)[valid.reshape(-1, 3).any(axis=1)]
    np.testing.assert_allclose(kept['mean'], valid.mean(axis=0), atol=1e-4)
    np.testing.assert_allclose(kept['std'], valid.std(axis=0), atol=1e-4)
    write_files(tmp_path / 'in', {'a.tif': tiff(np.zeros_like(pixels), nodata=0)})
    with pytest.raises(InputError, match='each of the 9 windows has more nodata than 0'):
        convert(tmp_path, overwrite=True, max_nodata=0)


@pytest.mark.parametrize(('count', 'share'), [(5, 0.05), (30, 0.3)])
def test_exactly_as_much_nodata_as_allowed_is_kept(tmp_path, count, share):
    pixels = noise((10, 10, 3)) // 2 + 1
    pixels.reshape(100, 3)[:count] = 0
    write_files(tmp_path / 'in', {'a.tif': tiff(pixels, nodata=0)})
    assert convert(tmp_path, size=10, max_nodata=share)['patches'][0]['nodata'] == share
    with pytest.raises(InputError, match='has more nodata than'):
        convert(tmp_path, size=10, max_nodata=share - 1e-6, overwrite=True)


def test_transparency_is_nodata_unless_it_is_a_band_to_take(tmp_path):
    pixels = noise((16, 16, 4)) // 2 + 1
    pixels[..., 3] = np.arange(16)[:, None] // 8 * 255
    write_files(tmp_path / 'in', {'a.tif': tiff(pixels, photometric='RGB', alpha='YES')})
    assert convert(tmp_path, bands=[1, 2, 3], max_nodata=0.5)['patches'][0]['nodata'] == 0.5
    described = convert(tmp_path, bands=[1, 2, 3, 4], overwrite=True)
    assert described['patches'][0]['nodata'] == 0
    np.testing.assert_array_equal(read_image(tmp_path / 'out/images/a_0_0.tif', 4), pixels[..., [2, 1, 0, 3]])
    with rasterio.open(tmp_path / 'out/images/a_0_0.tif') as raster:
        assert rasterio.enums.ColorInterp.alpha not in raster.colorinterp


def test_bands_are_taken_in_the_given_order(tmp_path):
    pixels = noise((16, 16, 5))
    write_files(tmp_path / 'in', {'a.tif': tiff(pixels)})
    described = convert(tmp_path, bands=[4, 3, 1])
    assert described['bands']['names'] == ['band 4', 'band 3', 'band 1']
    found = read_image(tmp_path / 'out/images/a_0_0.png')[..., ::-1]
    np.testing.assert_array_equal(found, pixels[..., [3, 2, 0]])
    convert(tmp_path, bands=[2], overwrite=True)
    np.testing.assert_array_equal(read_image(tmp_path / 'out/images/a_0_0.png', 1)[..., 0], pixels[..., 1])


def test_wide_rasters_are_read_in_strips_and_batches(tmp_path, monkeypatch):
    from projects.false.converters import cutting

    pixels = noise((90, 200, 3))
    write_files(tmp_path / 'in', {'a.tif': tiff(pixels, tiled=True, blockxsize=16, blockysize=16)})
    whole = convert(tmp_path, stride=12)
    images = {path.name: path.read_bytes() for path in (tmp_path / 'out/images').iterdir()}
    monkeypatch.setattr(cutting, '_STRIP_WIDTH', 40)
    monkeypatch.setattr(cutting, '_BATCH_PIXELS', 200 * 30)
    assert convert(tmp_path, stride=12, overwrite=True) == whole
    assert {path.name: path.read_bytes() for path in (tmp_path / 'out/images').iterdir()} == images


def test_equal_names_get_their_folder_in_front(tmp_path):
    write_files(tmp_path / 'in', {f'{day}/scene.tif': tiff(noise((16, 16, 3))) for day in ('may', 'june')})
    assert sorted(convert(tmp_path)['sources']) == ['june_scene', 'may_scene']


def test_the_same_call_again_is_done_before_unless_files_came(tmp_path):
    write_files(tmp_path / 'in', {'a.tif': tiff(noise((16, 16, 3)))})
    convert(tmp_path)
    assert convert_rasters([tmp_path / 'in'], tmp_path / 'out', 16).done_before
    write_files(tmp_path / 'in', {'b.tif': tiff(noise((16, 16, 3)))})
    with pytest.raises(InputError, match='was made with files'):
        convert(tmp_path)


def test_scaling_rounds_and_cuts_off():
    values = np.array([-9, 0, 1, 99, 100, 255, 300], np.int16)[None, :, None]
    scaled = to_8_bit(values, np.ones((1, 7), bool), [[0, 100]])
    assert scaled.ravel().tolist() == [0, 0, 3, 252, 255, 255, 255]


@pytest.mark.skipif(not (SHARED / 'georef').is_dir(), reason=f'no rasters in {SHARED}; set FALSE_SHARED_DATA')
def test_real_rasters(tmp_path):
    sources = [
        SHARED / 'georef' / f'{name}.tif' for name in ('aerial_rgb_epsg28992_025m', 'landsat_rgb_epsg32618_nodata0')
    ]
    described = convert_rasters(sources, tmp_path / 'out', 128, workers=2).description
    counts = {stem: source['patches'] for stem, source in described['sources'].items()}
    assert counts == {'aerial_rgb_epsg28992_025m': 64, 'landsat_rgb_epsg32618_nodata0': 16}
    assert described['dropped_windows'] == 6 * 7 - 16
    assert [source['crs'] for source in described['sources'].values()] == ['EPSG:28992', 'EPSG:32618']
    assert max(patch['nodata'] for patch in described['patches']) <= 0.1


def test_files_beside_an_image_belong_to_its_version(tmp_path):
    write_files(tmp_path / 'in', {'a.tif': tiff(noise((40, 33, 3)))})
    before = convert(tmp_path)
    nodata = '<PAMDataset><PAMRasterBand band="1"><NoDataValue>0</NoDataValue></PAMRasterBand></PAMDataset>'
    for name, content in {'a.tfw': '0.5\n0\n0\n-0.5\n900\n200\n', 'a.tif.aux.xml': nodata}.items():
        (tmp_path / 'in' / name).write_text(content)
        with pytest.raises(InputError, match='was made with files_state'):
            convert(tmp_path)
        (tmp_path / 'in' / name).unlink()
    assert convert(tmp_path) == before


def test_lists_that_somebody_made_survive_a_new_output(tmp_path):
    write_files(tmp_path / 'in', {'a.tif': tiff(noise((40, 33, 3)))})
    convert(tmp_path)
    (tmp_path / 'out/splits/chosen.txt').write_text('a_0_0\n')
    again = convert_rasters([tmp_path / 'in'], tmp_path / 'out', 16, overwrite=True)
    assert (tmp_path / 'out/splits/chosen.txt').read_text() == 'a_0_0\n'
    assert again.notes == ('kept lists of the earlier output: chosen.txt',)
    (tmp_path / 'out/dataset.json').write_text('{')
    assert convert_rasters([tmp_path / 'in'], tmp_path / 'out', 16, overwrite=True).notes == again.notes
    assert (tmp_path / 'out/splits/chosen.txt').read_text() == 'a_0_0\n'


def test_a_replaced_image_is_noticed_and_older_outputs_stay(tmp_path):
    write_files(tmp_path / 'in', {'a.tif': tiff(noise((40, 33, 3)))})
    assert 'files_state' in convert(tmp_path)['arguments']
    path = tmp_path / 'out/dataset.json'
    assert convert_rasters([tmp_path / 'in'], tmp_path / 'out', 16).done_before
    write_files(tmp_path / 'in', {'a.tif': tiff(noise((64, 64, 3), seed=1))})
    with pytest.raises(InputError, match=r'exists and was made with files_state .*, not .*; give another'):
        convert(tmp_path)
    old = json.loads(path.read_text())
    del old['arguments']['files_state']
    path.write_text(json.dumps(old))
    assert convert_rasters([tmp_path / 'in'], tmp_path / 'out', 16).done_before
