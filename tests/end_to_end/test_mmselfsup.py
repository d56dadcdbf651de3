"""The same classes train in mmselfsup 1.0.0: two steps by command line, in the environment of `make test-mmselfsup`."""

import json
import math
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope
from torchvision.models import resnet18

from projects.false.engine.checkpoints.files import read_checkpoint
from tests.helpers.tools import REPOSITORY

if find_spec('mmselfsup') is None:
    pytest.skip('mmselfsup has an environment of its own: make test-mmselfsup', allow_module_level=True)

ROOT = REPOSITORY
THEIR_TOOLS = Path(find_spec('mmselfsup').origin).parent / '.mim' / 'tools'
IMAGES, BATCH, QUEUE = 48, 4, 12  # two steps leave a third of the queue empty
ALGORITHMS = {
    'FALSE': dict(recipe='false_simclr_r18_synthetic', arguments=''),
    'FALSEMoCo': dict(recipe='false_mocov2_r18_synthetic', arguments=f'queue_len={QUEUE}'),
}

RECIPE = """
_base_ = '{root}/configs/{recipe}.py'

# what mmselfsup wants otherwise
default_scope = 'mmselfsup'
visualizer = dict(type='SelfSupVisualizer')
train_cfg = dict(_delete_=True, by_epoch=False, max_iters=2)
pack = dict(type='PackSelfSupInputs', algorithm_keys=['sample_idx'])  # by appearance, as in the recipe
pipeline = [*_base_.train_dataloader.dataset.pipeline[:-1], pack]
train_dataloader = dict(dataset=dict(pipeline=pipeline))

# what this test wants otherwise
train_dataloader.update(batch_size={batch})
train_dataloader['dataset'].update(data_root='{data}')
default_hooks = dict(checkpoint=dict(by_epoch=False, interval=1), logger=dict(interval=1))
log_processor = dict(by_epoch=False)
param_scheduler = []  # two steps are shorter than the warm-up
model = dict({arguments})
"""

NATIVE = """
default_scope = 'mmselfsup'
custom_imports = dict(imports=['projects.false.models', 'projects.false.engine'])
model = dict(
    type='{algorithm}',
    data_preprocessor=dict(type='SelfSupDataPreprocessor', mean=[124, 116, 104], std=[58, 57, 57], bgr_to_rgb=True),
    backbone=dict(type='ResNet', depth=18),
    neck=dict(type='FALSENeck', in_channels=512, hid_channels=32, out_channels=128),
    head=dict(type='FALSEHead', loss=dict(type='FALSELoss', temperature=0.2)),
)
model.update({arguments})
view = [
    dict(type='RandomResizedCrop', size=32, backend='pillow'),
    dict(type='RandomApply', prob=1, transforms=[dict(type='ColorJitter', brightness=0.4, hue=0.1)]),
    dict(type='RandomGrayscale', prob=0.2, keep_channels=True),
    dict(type='RandomGaussianBlur', sigma_min=0.1, sigma_max=2.0, prob=0.5),
    dict(type='RandomFlip', prob=0.5),
]
train_dataloader = dict(
    batch_size={batch},
    num_workers=1,
    sampler=dict(type='DefaultSampler', shuffle=True),
    collate_fn=dict(type='default_collate'),
    dataset=dict(
        type='ImageList',
        ann_file='{data}/splits/pretrain.txt',
        data_prefix='{data}/images',
        pipeline=[
            dict(type='LoadImageFromFile'),
            dict(type='MultiView', num_views=2, transforms=[view]),
            dict(type='PackSelfSupInputs', algorithm_keys=['sample_idx']),
        ],
    ),
)
optim_wrapper = dict(optimizer=dict(type='SGD', lr=0.1))
train_cfg = dict(by_epoch=False, max_iters=2)
default_hooks = dict(
    checkpoint=dict(type='CheckpointHook', by_epoch=False, interval=1), logger=dict(type='LoggerHook', interval=1)
)
custom_hooks = [dict(type='ExportBackboneHook')]
visualizer = dict(type='SelfSupVisualizer', vis_backends=[dict(type='LocalVisBackend')])
"""


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp('data')
    names = [f'{index:02}.png' for index in range(IMAGES)]
    (folder / 'images').mkdir()
    (folder / 'splits').mkdir()
    (folder / 'splits' / 'pretrain.txt').write_text('\n'.join(names))
    for name, image in zip(names, np.random.default_rng(0).integers(0, 256, (IMAGES, 64, 64, 3)), strict=True):
        cv2.imwrite(str(folder / 'images' / name), image.astype(np.uint8))
    return folder


@pytest.fixture(scope='module', params=ALGORITHMS)
def algorithm(request):
    return request.param


@pytest.fixture(scope='module', params=['our recipe', 'a config of theirs'])
def work_dir(request, algorithm, data, tmp_path_factory):
    """Folder of a finished run: our recipe by our train.py, or mmselfsup's data set, views and train.py."""
    ours = request.param == 'our recipe'
    folder = tmp_path_factory.mktemp(algorithm)
    text = (RECIPE if ours else NATIVE).format(
        root=ROOT, data=data, batch=BATCH, algorithm=algorithm, **ALGORITHMS[algorithm]
    )
    (folder / 'mine.py').write_text(text)
    train = (ROOT / 'tools' if ours else THEIR_TOOLS) / 'train.py'
    result = subprocess.run(
        [sys.executable, train, folder / 'mine.py', '--work-dir', folder / 'run'],
        cwd=folder,
        env=os.environ | {'PYTHONPATH': str(ROOT), 'OMP_NUM_THREADS': '1'},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert result.returncode == 0, result.stderr[-4000:]
    return folder / 'run'


def weights(checkpoint: Path, prefix: str = '') -> dict[str, torch.Tensor]:
    return {name: value for name, value in read_checkpoint(checkpoint)['state_dict'].items() if name.startswith(prefix)}


def test_it_is_our_algorithm_on_their_backbone(work_dir, algorithm):
    init_default_scope('mmselfsup')
    model = MODELS.build(Config.fromfile(work_dir / 'mine.py').model)
    assert type(model).__module__.startswith('projects.false.models.')
    assert type(model).__name__ == algorithm
    assert type(model.backbone).__module__.startswith('mmselfsup.models.')
    model.load_state_dict(weights(work_dir / 'iter_2.pth'))


def test_two_steps_move_the_backbone(work_dir):
    (log,) = work_dir.glob('*/vis_data/scalars.json')
    losses = [json.loads(line)['loss'] for line in log.read_text().splitlines()]
    assert len(losses) == read_checkpoint(work_dir / 'iter_2.pth')['meta']['iter'] == 2
    assert all(math.isfinite(loss) for loss in losses)
    first, second = (weights(work_dir / f'iter_{step}.pth', 'backbone.') for step in (1, 2))
    assert first.keys() == second.keys()
    assert [name for name in first if torch.equal(first[name], second[name])] == []


@pytest.mark.parametrize('algorithm', ['FALSEMoCo'], indirect=True)
def test_queue_holds_the_keys_of_both_batches(work_dir):
    first, second = (weights(work_dir / f'iter_{step}.pth', 'queue.') for step in (1, 2))
    images, filled = second['queue.image_indices'].tolist(), 2 * BATCH
    assert images[filled:] == [-1] * (QUEUE - filled)
    assert len(set(images[:filled])) == filled
    assert set(images[:filled]) <= set(range(IMAGES))
    norms = torch.tensor([1.0] * filled + [0.0] * (QUEUE - filled))
    torch.testing.assert_close(second['queue.keys'].norm(dim=1), norms)
    for name in ('queue.keys', 'queue.image_indices'):
        assert torch.equal(first[name][:BATCH], second[name][:BATCH])


def test_exported_backbone_loads_here_and_in_torchvision(work_dir):
    path = work_dir / 'backbone.pth'
    init_default_scope('mmselfsup')
    loaded = MODELS.build(dict(type='ResNet', depth=18, init_cfg=dict(type='PretrainedBackbone', checkpoint=str(path))))
    loaded.init_weights()
    trained = weights(work_dir / 'iter_2.pth', 'backbone.')
    assert all(torch.equal(value, trained[f'backbone.{name}']) for name, value in loaded.state_dict().items())
    keys = resnet18().load_state_dict(weights(path), strict=False)
    assert keys.missing_keys == ['fc.weight', 'fc.bias']
    assert keys.unexpected_keys == []
