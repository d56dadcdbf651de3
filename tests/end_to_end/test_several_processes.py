"""Two processes train as one does: through the recipes, the real runner and gloo."""

import os
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import RUNNERS
from mmengine.utils import import_modules_from_strings
from torch import distributed

from tests.helpers.processes import free_port, run_processes
from tests.helpers.tools import REPOSITORY

RECIPES = {  # iterations per step of the optimizer
    'false_simclr_r18_synthetic': 3,  # runs resume between two steps
    'false_mocov2_r18_synthetic': 1,
    'simclr_lite0_mbrsc': 1,
}
STEPS = 4  # the queue of the first is empty


def run(recipe, folder, per_process, launcher, resumed=None):
    """Train a narrow network, with frozen batch statistics, which depend on what a process sees, and plain SGD."""
    config = Config.fromfile(REPOSITORY / 'configs' / f'{recipe}.py')
    import_modules_from_strings(**config.custom_imports)
    config.train_dataloader.update(batch_size=per_process, num_workers=0, persistent_workers=False)
    config.train_dataloader.dataset.update(data_root=str(folder), ann_file='')
    config.train_cfg = dict(type='IterBasedTrainLoop', max_iters=STEPS)
    config.param_scheduler = []
    optimizer = dict(type='SGD', lr=0.05, momentum=0.9)
    config.optim_wrapper = dict(type='OptimWrapper', optimizer=optimizer, accumulative_counts=RECIPES[recipe])
    config.default_hooks.checkpoint.update(by_epoch=False, interval=STEPS // 2)
    if config.model.backbone.type == 'TimmBackbone':
        config.model.backbone.update(norm_eval=True, init_cfg=None)
    else:
        config.model.backbone.update(norm_eval=True, norm_cfg=dict(type='SyncBN'), stem_channels=8, base_channels=8)
        config.model.neck.in_channels = 64
        config.model.head.loss.positive_threshold = -1.0  # some are determined from the start
    config.model.neck.hid_channels = 16
    if 'queue_len' in config.model:
        config.model.queue_len = 8
    config.launcher = launcher
    name = f'{recipe}_{launcher}{"_resumed" if resumed else ""}'
    config.resume, config.load_from = bool(resumed), resumed
    config.work_dir = str(folder / name)
    config.experiment_name = f'{folder.name}_{name}'
    RUNNERS.build(config).train()


def one_of_two(rank, folder, port):
    os.environ.update(
        RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE='2', MASTER_ADDR='localhost', MASTER_PORT=str(port)
    )
    for recipe in RECIPES:
        run(recipe, Path(folder), 2, 'pytorch')
        run(recipe, Path(folder), 2, 'pytorch', f'{folder}/{recipe}_pytorch/iter_{STEPS // 2}.pth')
    distributed.destroy_process_group()


@pytest.fixture(scope='module')
def runs(tmp_path_factory):
    """Checkpoints by recipe: of one process with four images per step, of two with two each, of two resumed."""
    folder = tmp_path_factory.mktemp('processes')
    (folder / 'images').mkdir()
    generator = np.random.default_rng(0)
    for number in range(36):
        low = generator.integers(0, 256, (6, 6, 3), dtype=np.uint8)
        cv2.imwrite(str(folder / 'images' / f'{number}.png'), cv2.resize(low, (64, 64)))
    run_processes(one_of_two, str(folder), free_port(), count=2)
    found = {}
    for recipe in RECIPES:
        run(recipe, folder, 4, 'none')
        found[recipe] = [
            torch.load(folder / f'{recipe}_{launcher}' / f'iter_{STEPS}.pth', weights_only=True)
            for launcher in ('none', 'pytorch', 'pytorch_resumed')
        ]
    return found


@pytest.mark.slow
@pytest.mark.parametrize('recipe', RECIPES)
def test_weights_after_some_steps_are_equal(recipe, runs):
    one, two, _ = (checkpoint['state_dict'] for checkpoint in runs[recipe])
    assert one.keys() == two.keys()
    for name, value in one.items():
        if not name.startswith('queue.'):
            torch.testing.assert_close(two[name], value, atol=1e-5, rtol=1e-5, msg=lambda text, n=name: f'{n}: {text}')
    momentum = [checkpoint['optimizer']['state'][0]['momentum_buffer'] for checkpoint in runs[recipe][:2]]
    assert momentum[0].abs().max() > 1e-4
    torch.testing.assert_close(*momentum, atol=1e-5, rtol=1e-3)


@pytest.mark.slow
def test_queue_holds_the_keys_of_both_processes(runs):
    one, two, _ = (checkpoint['state_dict'] for checkpoint in runs['false_mocov2_r18_synthetic'])
    orders = [state['queue.image_indices'].argsort() for state in (one, two)]
    for name in ('queue.image_indices', 'queue.keys'):
        torch.testing.assert_close(one[name][orders[0]], two[name][orders[1]], atol=1e-5, rtol=1e-5)
    assert one['queue.image_indices'].min() >= 0
    assert len(set(one['queue.image_indices'].tolist())) == 8


@pytest.mark.slow
@pytest.mark.parametrize('recipe', RECIPES)
def test_two_resumed_processes_are_as_if_never_stopped(recipe, runs):
    _, whole, parts = (checkpoint['state_dict'] for checkpoint in runs[recipe])
    assert whole.keys() == parts.keys()
    for name, value in whole.items():
        assert torch.equal(parts[name], value), name
