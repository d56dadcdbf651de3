"""A real MMEngine run that takes milliseconds."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from mmengine.evaluator import Evaluator
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch import nn
from torch.utils.data import Dataset

import projects.false.engine  # noqa: F401  (registers hooks, optimizer and schedules)


class Points(Dataset):
    """Sixteen fixed points of the plane; a shuffled loader draws from the global generator unless it has its own."""

    metainfo = {'classes': ('water', 'land')}  # noqa: RUF012

    def __len__(self) -> int:
        return 16

    def __getitem__(self, index: int) -> dict:
        return {'inputs': torch.tensor([index / 16, 1.0])}


class Tiny(BaseModel):
    """A linear backbone and a dropout that makes every step random."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = nn.Linear(2, 4)
        self.neck = nn.Linear(4, 1)
        self.dropout = nn.Dropout(0.5)

    def forward(self, inputs, mode: str = 'tensor'):
        out = self.neck(self.dropout(self.backbone(torch.stack(inputs))))
        return {'loss': out.square().mean()} if mode == 'loss' else [out]


class Careless(Evaluator):
    """An evaluator that disturbs the global generators."""

    def __init__(self) -> None:
        super().__init__([])

    def process(self, data_samples, data_batch=None) -> None:
        torch.rand(3)

    def evaluate(self, size: int) -> dict:
        return {'score': float(size)}


def build_runner(work_dir: Path, **changes) -> Runner:
    """Build a runner of four epochs of four iterations on the CPU."""
    dataloader = {'dataset': Points(), 'batch_size': 4, 'sampler': {'type': 'DefaultSampler', 'shuffle': True}}
    optimizer = {'type': 'SGD', 'lr': 0.01, 'momentum': 0.9}
    settings = {
        'model': Tiny(),
        'work_dir': str(work_dir),
        'train_dataloader': dataloader,
        'train_cfg': {'by_epoch': True, 'max_epochs': 4},
        'optim_wrapper': {'optimizer': optimizer},
        'param_scheduler': [{'type': 'ReleasedLR', 'by_epoch': False}],
        'custom_hooks': [{'type': 'PlainCheckpointHook'}, {'type': 'ExactResumeHook'}],
        'default_hooks': {'checkpoint': {'type': 'SafeCheckpointHook', 'interval': 1}},
        'randomness': {'seed': 7},
        'experiment_name': f'{work_dir.parent.name}-{work_dir.name}',
        'log_level': 'WARNING',
        'default_scope': 'mmengine',
    }
    return Runner(**{**settings, **changes})


@pytest.fixture
def tiny_runner(tmp_path: Path) -> Callable[..., Runner]:
    """Build a runner: ``tiny_runner(name, **changes)``; the name is its work folder."""
    return lambda name, **changes: build_runner(tmp_path / name, **changes)


@pytest.fixture
def with_validation() -> dict:
    """Settings that add a validation after every epoch."""
    dataloader = {'dataset': Points(), 'batch_size': 4, 'sampler': {'type': 'DefaultSampler', 'shuffle': False}}
    return {'val_dataloader': dataloader, 'val_cfg': {}, 'val_evaluator': Careless()}
