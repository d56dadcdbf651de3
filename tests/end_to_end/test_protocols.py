"""The recipes of the authors' fine-tuning give its numbers: networks, batches and schedules."""

import pytest
import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import MODELS, PARAM_SCHEDULERS, init_default_scope
from mmengine.utils import import_modules_from_strings

from tests.helpers.tools import REPOSITORY

CONFIGS = REPOSITORY / 'configs'
CLASSES = {'potsdam': 6, 'dglc': 6, 'xiangtan': 9}


def recipe(name: str) -> Config:
    return Config.fromfile(CONFIGS / f'deeplabv3plus_r50_{name}_paper.py')


@pytest.fixture(scope='module')
def paper():
    """A recipe and its network."""
    config = recipe('potsdam')
    import_modules_from_strings(**config.custom_imports)
    init_default_scope('mmseg')
    config.model.backbone.init_cfg = None
    config.model.decode_head.norm_cfg = config.model.auxiliary_head.norm_cfg = dict(type='BN')
    return config, MODELS.build(config.model)


def test_network(paper):
    _, model = paper
    backbone, head, auxiliary = model.backbone, model.decode_head, model.auxiliary_head
    dilations = [[block.conv2.dilation[0] for block in stage] for stage in (backbone.layer3, backbone.layer4)]
    assert dilations == [[1, 2, 2, 2, 2, 2], [2, 4, 4]]
    with torch.no_grad():
        stages = backbone(torch.zeros(1, 3, 64, 64))
    assert [tuple(stage.shape[1:]) for stage in stages] == [(256, 16, 16), (512, 8, 8), (1024, 8, 8), (2048, 8, 8)]
    assert not any(parameter.requires_grad for parameter in backbone.parameters())
    backbone.train()
    assert not any(module.training for module in backbone.modules() if isinstance(module, torch.nn.BatchNorm2d))
    assert type(head).__name__ == 'DepthwiseSeparableASPPHead'
    assert (head.channels, head.dilations, head.c1_bottleneck.conv.out_channels) == (512, (1, 12, 24, 36), 48)
    assert (type(auxiliary).__name__, auxiliary.loss_decode.loss_weight) == ('FCNHead', 0.4)


def test_schedule(paper):
    config, model = paper
    optim = build_optim_wrapper(model, config.optim_wrapper)
    (poly,) = config.param_scheduler
    schedule = PARAM_SCHEDULERS.build(dict(poly, optimizer=optim, end=config.train_cfg.max_iters))
    rates = []
    for _ in range(config.train_cfg.max_iters):
        rates.append(optim.get_lr()['lr'][0])
        schedule.step()
    assert len(rates) == 1300
    for step in (0, 1, 650, 1299):
        assert rates[step] == pytest.approx((0.01 - 1e-4) * (1 - step / 1299) ** 0.9 + 1e-4, rel=1e-6)
    group = optim.param_groups[0]
    assert (type(optim.optimizer).__name__, group['momentum'], group['weight_decay']) == ('SGD', 0.9, 5e-4)


@pytest.mark.parametrize('name', CLASSES)
def test_data_sets_differ_in_classes_and_scale(name):
    config, potsdam = recipe(name), recipe('potsdam')
    steps = {step.type: step for step in config.train_dataloader.dataset.pipeline}
    patch = 512 if name == 'dglc' else 256
    assert config.train_dataloader.batch_size == 16
    assert (steps['RandomResize'].scale, steps['RandomResize'].ratio_range) == ((patch, patch), (0.5, 2.0))
    assert (steps['RandomCrop'].crop_size, steps['RandomCrop'].cat_max_ratio) == ((256, 256), 0.75)
    assert steps['RandomFlip'] == dict(type='RandomFlip', prob=0.5)
    assert 'PhotoMetricDistortion' in steps
    assert config.train_dataloader.dataset.ann_file == 'splits/train_1pct.txt'
    for head in ('decode_head', 'auxiliary_head'):
        assert config.model[head].pop('num_classes') == CLASSES[name]
        potsdam.model[head].pop('num_classes')
    start = config.model.backbone.init_cfg.pop('checkpoint')
    assert start == f'work_dirs/false_simclr_r50_{name}_released/backbone.pth'
    potsdam.model.backbone.init_cfg.pop('checkpoint')
    for part in ('model', 'optim_wrapper', 'param_scheduler', 'train_cfg'):
        assert config[part] == potsdam[part]
