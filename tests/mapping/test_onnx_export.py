"""An exported model gives the logits and the maps of the model, for any number of windows."""

import numpy as np
import onnx
import pytest
import rasterio
import torch
from torch import nn

from projects.false.common.errors import InputError
from projects.false.mapping.load_segmenter import load_segmenter
from projects.false.mapping.map_rasters import map_rasters
from projects.false.mapping.onnx_export import (
    AveragingPool,
    export_onnx,
    made_windows,
    replace_pools,
    sample_windows,
)
from projects.false.mapping.onnx_segmenter import OnnxSegmenter
from projects.false.mapping.options import MapOptions
from projects.false.mapping.pixel_rule import PixelRule
from tests.helpers.colour_threshold import ColourThreshold
from tests.helpers.fine_tuned import save_fine_tuned
from tests.helpers.rasters import checkerboard


@pytest.fixture(scope='module')
def exported(tmp_path_factory):
    """Export a model for windows of 70 pixels, which its strides do not divide."""
    folder = tmp_path_factory.mktemp('exported')
    segmenter = load_segmenter(*map(str, save_fine_tuned(folder, bands=4)))
    segmenter.recorded = PixelRule((4, 3, 2, 1), ((0.0, 255.0),) * 4)
    agreement = export_onnx(segmenter, folder / 'model.onnx', 70, made_windows(4, 70, count=3))
    return segmenter, folder / 'model.onnx', agreement


@pytest.mark.slow
def test_the_file_agrees_with_the_model_at_other_numbers_of_windows(exported):
    segmenter, path, agreement = exported
    assert agreement.patches == 3
    assert agreement.difference < 1e-5
    assert agreement.same > 0.9999
    onnx.checker.check_model(onnx.load(path))
    file = OnnxSegmenter(path)
    for count in (1, 2, 5):
        windows = np.stack(made_windows(4, 70, count))
        torch.testing.assert_close(torch.from_numpy(file(windows)), segmenter(windows), atol=1e-4, rtol=1e-4)


@pytest.mark.slow
def test_the_file_holds_what_mapping_needs(exported):
    segmenter, path, _ = exported
    file = OnnxSegmenter(path)
    assert (file.palette, file.bands, file.window) == (segmenter.palette, 4, 70)
    assert file.recorded == segmenter.recorded
    file.check_window(70)
    with pytest.raises(InputError, match=r'takes windows of 70 pixels, not 64.*--window 64'):
        file.check_window(64)


@pytest.mark.slow
def test_maps_are_the_same(exported, make_raster, tmp_path):
    segmenter, path, _ = exported
    source = make_raster(np.concatenate([checkerboard(100, 150), checkerboard(100, 150)[:1]]), alpha='no')
    maps = []
    for name, side in (('torch', segmenter), ('onnx', OnnxSegmenter(path))):
        (mapped,) = map_rasters(side, [source], tmp_path / name, MapOptions(window=70, recorded=segmenter.recorded))
        with rasterio.open(mapped.path) as raster:
            maps.append(raster.read(1))
    assert (maps[0] == maps[1]).mean() > 0.9995
    assert len(np.unique(maps[0])) > 1


@pytest.mark.slow
def test_a_file_that_disagrees_is_not_kept(exported, tmp_path, monkeypatch):
    segmenter, _, _ = exported
    first = np.stack(made_windows(4, 32, 1))
    answer = segmenter(first)
    monkeypatch.setattr(type(segmenter), '__call__', lambda self, pixels: answer + 1)
    with pytest.raises(InputError, match=r'its logits differ by .* it was not kept'):
        export_onnx(segmenter, tmp_path / 'model.onnx', 32, list(first))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_unusable_files_and_devices(exported, tmp_path):
    _, path, _ = exported
    (tmp_path / 'text.onnx').write_text('text')
    plain = onnx.load(path)
    del plain.metadata_props[:]
    onnx.save(plain, tmp_path / 'plain.onnx')
    for name, message in {'absent': 'no such file', 'text': 'cannot be loaded', 'plain': 'says nothing about'}.items():
        with pytest.raises(InputError, match=rf'{name}\.onnx: {message}'):
            OnnxSegmenter(tmp_path / f'{name}.onnx')
    with pytest.raises(InputError, match=r'--device cuda: this onnxruntime has .*CPUExecutionProvider'):
        OnnxSegmenter(path, 'cuda')


def test_patches_of_the_data_set_are_compared_as_they_are(make_raster):
    model, pixels = ColourThreshold(), checkerboard(32, 32)
    model.recorded = PixelRule((4, 3, 2), ((240, 10_000),) * 3)
    patch = make_raster(pixels, 'patch.png', driver='PNG', crs=None, transform=None)
    (window,) = sample_windows([patch], model, 32, patches=True)
    assert (np.moveaxis(window, 2, 0) == pixels).all()
    like_the_source = np.concatenate([pixels, pixels[:1]]).astype(np.uint16) * 30
    (window,) = sample_windows([make_raster(like_the_source, alpha='no')], model, 32)
    scaled = (pixels[0].astype(float) * 30 - 240) / (10_000 - 240) * 255
    assert np.abs(window[..., 0] - scaled.clip(0, 255)).max() <= 0.5


def test_images_without_data_are_no_comparison(make_raster):
    empty = make_raster(np.zeros((3, 40, 40), np.uint8), 'empty.tif', nodata=0)
    with pytest.raises(InputError, match=r'empty\.tif: no window of the images has data; give others with --images'):
        sample_windows([empty], ColourThreshold(), 32)


@pytest.mark.parametrize('bins', [1, 2, 3, 6, (2, 5)])
@pytest.mark.parametrize('size', [(1, 1), (2, 3), (4, 4), (7, 12), (16, 5)])
def test_averaging_pool_is_adaptive_average_pooling(size, bins):
    features = torch.randn(2, 3, *size, dtype=torch.float64)
    pair = bins if isinstance(bins, tuple) else (bins, bins)
    torch.testing.assert_close(AveragingPool(pair)(features), nn.AdaptiveAvgPool2d(bins)(features))


def test_pools_are_replaced_wherever_they_are():
    network = nn.Sequential(nn.AdaptiveAvgPool2d(3), nn.Sequential(nn.ReLU(), nn.AdaptiveAvgPool2d((2, 1))))
    features = torch.randn(1, 2, 7, 5)
    expected = network(features)
    replace_pools(network)
    assert not any(isinstance(module, nn.AdaptiveAvgPool2d) for module in network.modules())
    torch.testing.assert_close(network(features), expected)
