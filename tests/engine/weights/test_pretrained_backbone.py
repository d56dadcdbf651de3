"""Every tensor of the file arrives, in both stacks, whatever initializes after it; a misfit is an error."""

from pathlib import Path

import pytest
import torch
from mmengine.registry import MODELS, DefaultScope
from mmengine.utils import import_modules_from_strings

from projects.false.common.command_line import user_message
from projects.false.common.errors import InputError
from projects.false.engine.weights.backbone import export_backbone
from projects.false.engine.weights.pretrained_backbone import PretrainedBackbone
from projects.false.models.timm_backbone import TimmBackbone

IN_CHANNELS = {18: [64, 128, 256, 512], 50: [256, 512, 1024, 2048]}


def build(config: dict, scope: str):
    import_modules_from_strings([f'{scope}.models'])
    with DefaultScope.overwrite_default_scope(scope):
        return MODELS.build(config)


def resnet(depth: int = 18, **changes) -> dict:
    return {'type': 'ResNet', 'depth': depth, **changes}


def segmentor(backbone: dict) -> dict:
    head = {
        'type': 'UPerHead',
        'in_channels': IN_CHANNELS[backbone['depth']],
        'in_index': [0, 1, 2, 3],
        'channels': 32,
        'num_classes': 6,
        'norm_cfg': {'type': 'BN'},
    }
    return {'type': 'EncoderDecoder', 'backbone': backbone, 'decode_head': head}


def randomized(depth: int, scope: str = 'mmpretrain', **changes) -> dict:
    generator = torch.Generator().manual_seed(depth)
    state = build(resnet(depth, **changes), scope).state_dict()
    return {
        name: torch.rand(value.shape, generator=generator) if value.is_floating_point() else torch.tensor(5)
        for name, value in state.items()
    }


def write(path: Path, weights: dict) -> str:
    export_backbone({f'backbone.{name}': value for name, value in weights.items()}, path)
    return str(path)


def assert_loaded(module: torch.nn.Module, weights: dict) -> None:
    state = module.state_dict()
    assert state.keys() == weights.keys()
    for name, value in weights.items():
        assert torch.equal(state[name], value), name


@pytest.mark.parametrize('depth', [18, 50])
def test_segmentor_starts_from_every_tensor_of_the_file(tmp_path: Path, depth: int) -> None:
    weights = randomized(depth)
    init_cfg = {'type': 'PretrainedBackbone', 'checkpoint': write(tmp_path / 'backbone.pth', weights)}
    model = build(segmentor(resnet(depth, init_cfg=init_cfg)), 'mmseg')
    model.init_weights()
    assert_loaded(model.backbone, weights)
    assert model.decode_head.conv_seg.weight.std() < 0.05  # the rest is initialized as usual
    model.init_weights()
    assert_loaded(model.backbone, weights)


@pytest.mark.parametrize('scope', ['mmseg', 'mmpretrain'])
@pytest.mark.parametrize('as_list', [False, True])
def test_zero_init_residual_and_kaiming_do_not_overwrite(tmp_path: Path, scope: str, as_list: bool) -> None:
    weights = randomized(18)
    init_cfg = {'type': 'PretrainedBackbone', 'checkpoint': write(tmp_path / 'backbone.pth', weights)}
    if as_list:
        init_cfg = [{'type': 'Kaiming', 'layer': 'Conv2d'}, init_cfg]
    backbone = build(resnet(18, zero_init_residual=True, init_cfg=init_cfg), scope)
    for block in backbone.layer1:
        block.init_cfg = {'type': 'Constant', 'val': 0, 'override': {'name': 'norm2'}}
    backbone.init_weights()
    assert_loaded(backbone, weights)


def test_whole_checkpoint_and_absent_batch_counters(tmp_path: Path) -> None:
    weights = randomized(18)
    kept = {name: value for name, value in weights.items() if 'num_batches_tracked' not in name}
    checkpoint = {f'backbone.{name}': value for name, value in kept.items()} | {'neck.fc.weight': torch.ones(1)}
    torch.save({'state_dict': checkpoint, 'meta': {}}, tmp_path / 'epoch_1.pth')
    init_cfg = {'type': 'PretrainedBackbone', 'checkpoint': str(tmp_path / 'epoch_1.pth')}
    backbone = build(resnet(init_cfg=init_cfg), 'mmseg')
    backbone.init_weights()
    state = backbone.state_dict()
    assert all(torch.equal(state[name], value) for name, value in kept.items())


@pytest.mark.parametrize(
    ('file', 'config', 'expected'),
    [
        ({'depth': 50}, {'depth': 18}, 'holds ResNet-50 .3-4-6-3 bottleneck blocks., the config builds ResNet-18'),
        ({'depth': 18}, {'depth': 34}, 'holds ResNet-18 .*builds ResNet-34 .*80 are missing.*layer1.2.bn1.bias'),
        ({'depth': 18}, {'depth': 18, 'base_channels': 32}, r'other shape|another shape \(.*is \(64'),
        ({'depth': 18}, {'depth': 18, 'deep_stem': True}, 'missing stem.0.weight.*unexpected bn1.bias'),
    ],
)
def test_other_backbone_stops_and_says_why(tmp_path: Path, file: dict, config: dict, expected: str) -> None:
    path = write(tmp_path / 'backbone.pth', randomized(**file))
    model = build(resnet(**config, init_cfg={'type': 'PretrainedBackbone', 'checkpoint': path}), 'mmseg')
    with pytest.raises(InputError, match=expected) as caught:
        model.init_weights()
    message = user_message(caught.value)
    assert path in message
    assert 'set the type, depth and width that were pretrained' in message


@pytest.mark.parametrize('bands', [1, 4])
def test_weights_of_another_number_of_bands(tmp_path: Path, bands: int) -> None:
    path = write(tmp_path / 'backbone.pth', randomized(18))
    init_cfg = {'type': 'PretrainedBackbone', 'checkpoint': path}
    with pytest.raises(InputError) as caught:
        build(resnet(in_channels=bands, init_cfg=init_cfg), 'mmseg').init_weights()
    message = user_message(caught.value)
    assert f'{path} does not fit the backbone: it takes 3 band(s), the config builds ResNet-18' in message
    assert f'for {bands} (conv1.weight is (64, 3, 7, 7), not (64, {bands}, 7, 7)); give weights of {bands} ' in message
    assert 'set model.backbone.in_channels=3' in message
    assert 'depth and width' not in message


@pytest.mark.parametrize(
    ('content', 'expected'),
    [
        ({'state_dict': {}}, 'holds no ResNet, 0 of its 0 tensors match; it holds state_dict'),
        ([1], 'holds no ResNet, .*; give a file with weights'),
        ({'model': {'patch_embed.bias': torch.ones(1)}}, r'holds no ResNet, .*; its names are patch_embed\.bias'),
        (None, 'is missing'),
    ],
)
def test_file_without_a_backbone(tmp_path: Path, content, expected: str) -> None:
    path = tmp_path / 'backbone.pth'
    if content is not None:
        torch.save(content, path)
    backbone = build(resnet(init_cfg={'type': 'PretrainedBackbone', 'checkpoint': str(path)}), 'mmseg')
    with pytest.raises(InputError, match=expected):
        backbone.init_weights()


def test_must_be_the_last_initializer(tmp_path: Path) -> None:
    path = write(tmp_path / 'backbone.pth', randomized(18))
    init_cfg = [{'type': 'PretrainedBackbone', 'checkpoint': path}, {'type': 'Kaiming', 'layer': 'Conv2d'}]
    with pytest.raises(InputError, match='must be the last entry of init_cfg'):
        build(resnet(init_cfg=init_cfg), 'mmpretrain').init_weights()


def test_plain_module() -> None:
    with pytest.raises(InputError, match='is missing'):
        PretrainedBackbone('nowhere.pth')(torch.nn.Linear(1, 1))


@pytest.mark.parametrize('checkpoint', [None, ''])
def test_path_left_to_the_command_line(checkpoint: str | None) -> None:
    with pytest.raises(InputError, match=r'--cfg-options model\.backbone\.init_cfg\.checkpoint='):
        PretrainedBackbone(checkpoint)(torch.nn.Linear(1, 1))


def test_torchvision_weights_fit_whole(tmp_path: Path) -> None:
    import mmseg.models  # noqa: F401
    import torchvision

    given = torchvision.models.resnet18(num_classes=10)
    torch.save(given.state_dict(), tmp_path / 'resnet18.pth')
    with DefaultScope.overwrite_default_scope('mmseg'):
        start = dict(type='PretrainedBackbone', checkpoint=str(tmp_path / 'resnet18.pth'))
        backbone = MODELS.build(dict(type='ResNet', depth=18, init_cfg=start))
        backbone.init_weights()
    for name, value in backbone.state_dict().items():
        assert torch.equal(value, given.state_dict()[name]), name


@pytest.mark.parametrize('name', ['resnet18.pth', 'resnet18.safetensors', 'wrapped.pth', 'moco.pth', 'published.pth'])
def test_weights_of_other_libraries_fit_whole(tmp_path: Path, name: str) -> None:
    import timm
    from safetensors.torch import save_file

    given = timm.create_model('resnet18', num_classes=10).state_dict()
    if name.endswith('.safetensors'):
        save_file(given, tmp_path / name)
    elif name == 'wrapped.pth':
        torch.save(
            {'state_dict': {f'module.{key}': value for key, value in given.items()}, 'arch': 'r'}, tmp_path / name
        )
    elif name == 'moco.pth':
        query = {f'module.encoder_q.{key}': value for key, value in given.items()}
        keys = {f'module.encoder_k.{key}': value + 1 for key, value in given.items()}
        torch.save({'state_dict': keys | query | {'module.queue': torch.ones(2, 2)}, 'epoch': 200}, tmp_path / name)
    else:
        torch.save(given, tmp_path / name, _use_new_zipfile_serialization=name != 'published.pth')
    backbone = build(resnet(init_cfg={'type': 'PretrainedBackbone', 'checkpoint': str(tmp_path / name)}), 'mmseg')
    backbone.init_weights()
    assert_loaded(backbone, {key: value for key, value in given.items() if not key.startswith('fc.')})


def test_another_network_of_another_library(tmp_path: Path) -> None:
    import timm

    for name, text in (
        ('resnet50', 'holds ResNet-50 .3-4-6-3 bottleneck blocks., the config builds ResNet-18'),
        ('resnet18d', 'unexpected conv1.0.weight'),
        ('efficientnet_b0', 'holds no ResNet, 0 of its 360 tensors match'),
    ):
        torch.save(timm.create_model(name).state_dict(), tmp_path / f'{name}.pth')
        init_cfg = {'type': 'PretrainedBackbone', 'checkpoint': str(tmp_path / f'{name}.pth')}
        with pytest.raises(InputError, match=text) as caught:
            build(resnet(init_cfg=init_cfg), 'mmseg').init_weights()
        assert '\n' not in user_message(caught.value)


def lite(checkpoint: str, **changes) -> TimmBackbone:
    init_cfg = {'type': 'PretrainedBackbone', 'checkpoint': checkpoint}
    return TimmBackbone('mobilenetv3_small_050', init_cfg=init_cfg, **changes)


@pytest.mark.parametrize('name', ['timm.pth', 'timm.safetensors', 'backbone.pth', 'checkpoint.pth'])
def test_a_network_of_timm(tmp_path: Path, name: str) -> None:
    import timm
    from safetensors.torch import save_file

    given = timm.create_model('mobilenetv3_small_050', num_classes=10).state_dict()
    ours = {f'backbone.timm_model.{key}': value for key, value in given.items() if not key.startswith(('cl', 'conv_h'))}
    if name == 'timm.safetensors':
        save_file(given, tmp_path / name)
    elif name == 'backbone.pth':
        export_backbone(ours, tmp_path / name)
    else:
        torch.save(given if name == 'timm.pth' else {'state_dict': ours | {'neck.w': torch.ones(1)}}, tmp_path / name)
    backbone = lite(str(tmp_path / name))
    backbone.init_weights()
    for key, value in backbone.timm_model.state_dict().items():
        assert torch.equal(value, given[key]), key


def test_a_resnet_of_timm_and_of_ours_are_one(tmp_path: Path) -> None:
    weights = randomized(18)
    init_cfg = {'type': 'PretrainedBackbone', 'checkpoint': write(tmp_path / 'backbone.pth', weights)}
    backbone = TimmBackbone('resnet18', init_cfg=init_cfg)
    backbone.init_weights()
    assert_loaded(backbone.timm_model, weights)


def test_another_network_than_that_of_timm(tmp_path: Path) -> None:
    import timm

    torch.save(timm.create_model('mobilenetv3_small_075').state_dict(), tmp_path / 'other.pth')
    with pytest.raises(InputError, match=r'the config builds mobilenetv3_small_050 of timm;.*have another shape'):
        lite(str(tmp_path / 'other.pth')).init_weights()
    torch.save(timm.create_model('mobilenetv3_small_050').state_dict(), tmp_path / 'rgb.pth')
    with pytest.raises(InputError, match=r'conv_stem\.weight is \(16, 3, 3, 3\), not \(16, 4, 3, 3\)'):
        lite(str(tmp_path / 'rgb.pth'), in_channels=4).init_weights()
