"""k steps, an interruption and k more equal 2k steps, bit for bit, through the recipes and the real runner."""

import json

import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.registry import HOOKS, RUNNERS
from mmengine.utils import import_modules_from_strings

from tests.helpers.tools import REPOSITORY

NARROW = dict(stem_channels=8, base_channels=8)  # every part of a recipe's network, an eighth as wide


class Interruption(Exception):
    """Stands for a power cut."""


@HOOKS.register_module()
class InterruptHook(Hook):
    """Stop the run in the step after the one that saves."""

    priority = 'LOWEST'

    def __init__(self, at: int) -> None:
        self.at = at

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        """Fail before the step is taken."""
        if runner.iter == self.at:
            raise Interruption


def pretraining(patches, name='false_simclr_r18_synthetic'):
    config = Config.fromfile(REPOSITORY / 'configs' / f'{name}.py')
    config.train_dataloader.dataset.update(data_root=str(patches('synthetic', 128)), ann_file='')
    config.train_dataloader.dataset.pipeline[1].size = 32
    config.model.backbone.update(NARROW)
    config.model.neck.update(in_channels=64, hid_channels=16)
    config.train_cfg.max_epochs = 2  # of two batches each
    config.param_scheduler = config.param_scheduler[:1]
    config.default_hooks.checkpoint.interval = 1
    return config, 3, 'epoch_2.pth'


def within_an_epoch(patches):
    config, _, _ = pretraining(patches)
    config.train_cfg.max_epochs = 3
    config.default_hooks.checkpoint.update(by_epoch=False, interval=3)
    return config, 5, 'iter_6.pth'


def moco(patches):
    config, _, _ = pretraining(patches, 'false_mocov2_r18_synthetic')
    config.train_dataloader.dataset.data_root = str(patches('synthetic', 64, 24))
    config.model.queue_len = 6  # three batches, so that the pointer differs at every checkpoint
    config.model.head.loss.positive_threshold = -1.0
    config.train_dataloader.batch_size = 2
    config.train_dataloader.dataset.pipeline[1].color_on = 'device'
    config.train_cfg.max_epochs = 1
    config.default_hooks.checkpoint.update(by_epoch=False, interval=4)
    return config, 5, 'iter_8.pth'


def fine_tuning(patches):
    config = Config.fromfile(REPOSITORY / 'configs' / 'upernet_r18_synthetic.py')
    config.train_dataloader.dataset.update(data_root=str(patches('synthetic', 128)), ann_file='splits/train_100pct.txt')
    config.model.backbone.update(NARROW, init_cfg=None)
    config.model.decode_head.update(in_channels=[8, 16, 32, 64], channels=8)
    config.model.auxiliary_head.update(in_channels=32, channels=8)
    config.train_cfg = dict(type='IterBasedTrainLoop', max_iters=4)
    config.val_cfg = config.val_dataloader = config.val_evaluator = None
    config.param_scheduler = config.param_scheduler[:1]
    config.default_hooks.checkpoint.interval = 2
    return config, 3, 'iter_4.pth'


def network_of_timm(patches):
    """With stochastic depth, which draws random numbers in every step."""
    config, stop, last = fine_tuning(patches)
    config.model.backbone = dict(type='TimmBackbone', model_name='convnext_atto', drop_path_rate=0.5)
    config.model.decode_head.update(in_channels=[40, 80, 160, 320])
    config.model.auxiliary_head.update(in_channels=160)
    return config, stop, last


def run(config, folder, name):
    config.work_dir = str(folder)
    config.experiment_name = name
    import_modules_from_strings(**config.custom_imports)
    RUNNERS.build(config).train()


def flat(value, name=''):
    """Every tensor and number of a checkpoint, by its path."""
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list | tuple):
        items = enumerate(value)
    else:
        return {name: value}
    return {key: leaf for part, inner in items for key, leaf in flat(inner, f'{name}/{part}').items()}


def logged(folder):
    """Loss and learning rate by step; a resumed run logs in a second folder."""
    lines = [json.loads(line) for path in sorted(folder.glob('*/vis_data/scalars.json')) for line in path.open()]
    return {line['step']: (line['loss'], line['lr']) for line in lines}


def prepared(recipe, workers, patches):
    config, stop, last = recipe(patches)
    config.train_dataloader.update(num_workers=workers, persistent_workers=workers > 0)
    if config.train_dataloader.batch_size > 4:
        config.train_dataloader.batch_size = 4
    config.default_hooks.logger.interval = 1
    return config, stop, last


@pytest.fixture(scope='module')
def uninterrupted(patches, tmp_path_factory):
    """``uninterrupted(recipe)``: work folder of a run without workers, trained once; workers must change nothing."""
    folders = {}

    def get(recipe):
        if recipe not in folders:
            folders[recipe] = tmp_path_factory.mktemp('whole')
            run(prepared(recipe, 0, patches)[0], folders[recipe], f'{recipe.__name__}_whole')
        return folders[recipe]

    return get


@pytest.mark.slow
@pytest.mark.parametrize('workers', [0, 2])
@pytest.mark.parametrize('recipe', [pretraining, within_an_epoch, moco, fine_tuning, network_of_timm])
def test_interrupted_and_resumed_equals_uninterrupted(recipe, workers, uninterrupted, patches, tmp_path):
    expected = uninterrupted(recipe)
    config, stop, last = prepared(recipe, workers, patches)
    config.custom_hooks = [dict(type='InterruptHook', at=stop)]
    with pytest.raises(Interruption):
        run(config, tmp_path, f'{recipe.__name__}_{workers}_first')
    config, *_ = prepared(recipe, workers, patches)
    config.resume = True
    run(config, tmp_path, f'{recipe.__name__}_{workers}_second')

    whole, parts = (torch.load(folder / last, weights_only=True) for folder in (expected, tmp_path))
    for part in ('state_dict', 'optimizer', 'param_schedulers', 'rng'):
        one, other = flat(whole[part]), flat(parts[part])
        assert one.keys() == other.keys()
        for place, value in one.items():
            same = torch.equal(value, other[place]) if isinstance(value, torch.Tensor) else value == other[place]
            assert same, f'{part}{place}'
    if recipe is moco:
        assert whole['state_dict']['queue.image_indices'].min() >= 0
        assert whole['state_dict']['queue.pointer'] == 4
        assert any(name.startswith('key_encoder.') for name in whole['state_dict'])
    one, other = logged(expected), logged(tmp_path)
    assert len(one) >= 4
    assert one == other
