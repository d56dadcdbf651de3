"""A loaded segmenter gives the answers of its model, although it is faster."""

import json

import numpy as np
import pytest
import rasterio
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope

from projects.false.common.errors import InputError
from projects.false.mapping.command import read_temperature
from projects.false.mapping.load_segmenter import load_segmenter
from projects.false.mapping.map_rasters import map_rasters
from projects.false.mapping.options import MapOptions
from tests.helpers.fine_tuned import save_fine_tuned
from tests.helpers.rasters import checkerboard


@pytest.fixture(scope='module')
def fine_tuned(tmp_path_factory):
    return save_fine_tuned(tmp_path_factory.mktemp('fine_tuned'))


def plain_model(config, checkpoint):
    """Build the model as mmseg does."""
    cfg = Config.fromfile(config)
    cfg.model.backbone.init_cfg = None
    cfg.model.test_cfg = dict(mode='slide', crop_size=(64, 64), stride=(32, 32))
    with DefaultScope.overwrite_default_scope('mmseg'):
        model = MODELS.build(cfg.model).eval()
    model.load_state_dict(torch.load(checkpoint, weights_only=True)['state_dict'])
    return model


def smooth_noise(height, width):
    """Draw something like imagery, (3, height, width)."""
    return (checkerboard(height, width, side=9) // 2 + checkerboard(height, width, side=2, seed=1) // 2).astype(
        np.uint8
    )


def test_facts_of_the_model(fine_tuned):
    segmenter = load_segmenter(*map(str, fine_tuned))
    assert segmenter.palette.classes == ('building', 'land', 'road', 'vegetation', 'water')
    assert segmenter.palette.colors[0] == (60, 16, 152)
    assert (segmenter.bands, segmenter.window, segmenter.device.type) == (3, 64, 'cpu')
    assert 'iter_1.pth' in segmenter.identity


def test_logits_are_those_of_the_model(fine_tuned):
    pixels = np.moveaxis(smooth_noise(64, 64), 0, -1)[None].repeat(2, axis=0)
    segmenter, model = load_segmenter(*map(str, fine_tuned)), plain_model(*fine_tuned)
    images = [torch.from_numpy(image[..., ::-1].transpose(2, 0, 1).copy()) for image in pixels]
    inputs = model.data_preprocessor({'inputs': images})['inputs']
    with torch.no_grad():
        expected = model.encode_decode(inputs, [{'img_shape': (64, 64)}] * 2)
    torch.testing.assert_close(segmenter(pixels), expected, atol=1e-4, rtol=1e-4)


def test_uniform_blend_is_slide_mode(fine_tuned, make_raster, tmp_path):
    pixels, model = smooth_noise(150, 170), plain_model(*fine_tuned)
    bgr = torch.from_numpy(pixels[::-1].copy())
    with torch.no_grad():
        inputs = model.data_preprocessor({'inputs': [bgr]})['inputs']
        logits = model.inference(inputs, [{'img_shape': (150, 170), 'ori_shape': (150, 170)}])[0]
    segmenter = load_segmenter(*map(str, fine_tuned))
    (mapped,) = map_rasters(segmenter, [make_raster(pixels)], tmp_path / 'out', MapOptions(blend='uniform'))
    with rasterio.open(mapped.path) as raster:
        classes = raster.read(1)
    assert (classes == logits.argmax(0).numpy()).mean() > 0.9995
    assert len(np.unique(classes)) > 2


def test_threads_do_not_change_the_map_and_the_batch_size_hardly_does(fine_tuned, make_raster, tmp_path):
    segmenter, source, maps = load_segmenter(*map(str, fine_tuned)), make_raster(smooth_noise(110, 130)), {}
    for batch_size, threads in ((1, 1), (3, 1), (3, 2), (64, 4)):
        options = MapOptions(batch_size=batch_size, threads=threads)
        (mapped,) = map_rasters(segmenter, [source], tmp_path / f'{batch_size}_{threads}', options)
        maps[batch_size, threads] = mapped.path
    assert maps[3, 1].read_bytes() == maps[3, 2].read_bytes()
    # Rounding may depend on the size of a batch, and decides between classes that are almost equal.
    first, *others = (rasterio.open(path).read(1) for path in maps.values())
    assert all((other == first).mean() > 0.9995 for other in others)


def test_mixed_precision_hardly_changes_the_map(fine_tuned):
    pixels = np.moveaxis(smooth_noise(64, 64), 0, -1)[None]
    exact = load_segmenter(*map(str, fine_tuned))(pixels)
    mixed = load_segmenter(*map(str, fine_tuned), precision='bfloat16')
    assert 'bfloat16' in mixed.identity
    assert 0 < (mixed(pixels) - exact).abs().mean() < 0.05 * exact.abs().mean()


def test_another_setting_of_the_model_makes_another_map(fine_tuned, make_raster, tmp_path):
    config, checkpoint = map(str, fine_tuned)
    plain = load_segmenter(config, checkpoint)
    source, out = make_raster(smooth_noise(70, 70)), tmp_path / 'out'
    list(map_rasters(plain, [source], out))
    again = load_segmenter(
        config, checkpoint, {'model.backbone.init_cfg': None, 'model.decode_head.loss_decode.loss_weight': 2.0}
    )
    assert again.identity == plain.identity
    other = load_segmenter(config, checkpoint, {'model.data_preprocessor.mean': [0, 0, 0]})
    with pytest.raises(InputError, match=r'scene_classes\.tif: exists and was made from another image, model'):
        list(map_rasters(other, [source], out))


def test_a_temperature_of_the_checkpoint_alone_still_fits(fine_tuned, tmp_path):
    segmenter, file = load_segmenter(*map(str, fine_tuned)), tmp_path / 'temperature.json'
    name, digest, _, precision = segmenter.identity.split()
    assert (name, precision) == ('iter_1.pth', 'float32')
    for model in (f'{name} {digest}', segmenter.identity.rpartition(' ')[0]):  # of older files, and of today's
        file.write_text(json.dumps({'temperature': 1.5, 'model': model}))
        assert read_temperature(str(file), segmenter) == 1.5


def test_four_bands(make_raster, tmp_path):
    segmenter = load_segmenter(*map(str, save_fine_tuned(tmp_path, bands=4)))
    assert segmenter.bands == 4
    pixels = np.concatenate([smooth_noise(70, 70), smooth_noise(70, 70)[:1]])
    (mapped,) = map_rasters(segmenter, [make_raster(pixels, alpha='no')], tmp_path / 'out')
    assert mapped.counts[:5].sum() == 70 * 70


def test_classes_come_from_the_config_where_the_checkpoint_has_none(tmp_path):
    files = save_fine_tuned(tmp_path, dataset_meta=None)
    assert load_segmenter(*map(str, files)).palette.classes[4] == 'water'
    options = {'test_dataloader.dataset.palette': 'potsdam'}
    with pytest.raises(InputError, match='the model has 5 classes, the palette 6'):
        load_segmenter(*map(str, files), options=options)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'model.decode_head.channels': 32}, 'not a checkpoint of this model'),
        ({'model.decode_head.num_classes': 1, 'model.decode_head.out_channels': 1}, 'single output'),
        ({'test_dataloader.dataset.pipeline.1.type': 'Resize'}, 'does Resize, which mapping cannot repeat'),
    ],
)
def test_configs_that_do_not_fit(fine_tuned, options, message):
    with pytest.raises(InputError, match=message):
        load_segmenter(*map(str, fine_tuned), options=options)


def test_other_files_and_devices(fine_tuned, tmp_path):
    config, checkpoint = map(str, fine_tuned)
    torch.save({'weights': 1}, tmp_path / 'other.pth')
    with pytest.raises(InputError, match='holds no weights'):
        load_segmenter(config, str(tmp_path / 'other.pth'))
    with pytest.raises(InputError, match=r'absent.pth is missing'):
        load_segmenter(config, str(tmp_path / 'absent.pth'))
    with pytest.raises(InputError, match="precision is 'int8'"):
        load_segmenter(config, checkpoint, precision='int8')
    with pytest.raises(InputError, match='--device gpu'):
        load_segmenter(config, checkpoint, device='gpu')
