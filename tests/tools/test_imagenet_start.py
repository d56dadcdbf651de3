"""Fine-tuning starts from a local ImageNet file of torchvision or timm, or ends with one line."""

import pytest
import timm
import torch
import torchvision
from safetensors.torch import save_file

from projects.false.engine.checkpoints.files import read_checkpoint
from tests.helpers.tools import REPOSITORY
from tests.tools.test_train_and_test import SMALL, call

PROBE = REPOSITORY / 'configs' / 'linear_r18_synthetic.py'


@pytest.fixture
def train(tmp_path, monkeypatch, patches):
    monkeypatch.chdir(tmp_path)
    data = patches('synthetic', 128)
    roots = [f'{loader}_dataloader.dataset.data_root={data}' for loader in ('train', 'val')]

    def run(weights):
        start = f'model.backbone.init_cfg.checkpoint={weights}'
        options = [*SMALL, *roots, start, 'train_cfg.max_iters=2', 'val_dataloader.dataset.ann_file=splits/test.txt']
        return call(monkeypatch, 'train', PROBE, '--work-dir', 'run', '--cfg-options', *options)

    return run


@pytest.mark.slow
@pytest.mark.parametrize('name', ['torchvision.pth', 'timm.safetensors'])
def test_frozen_backbone_is_that_of_the_file(train, tmp_path, name):
    if name == 'timm.safetensors':
        given = timm.create_model('resnet18').state_dict()
        save_file(given, tmp_path / name)
    else:
        given = torchvision.models.resnet18().state_dict()
        torch.save(given, tmp_path / name)
    assert train(name) == 0
    trained = read_checkpoint(tmp_path / 'run' / 'iter_2.pth')['state_dict']
    kept = {key.removeprefix('backbone.'): value for key, value in trained.items() if key.startswith('backbone.')}
    assert kept.keys() == {key for key in given if not key.startswith('fc.')}
    assert all(torch.equal(value, given[key]) for key, value in kept.items())


@pytest.mark.parametrize(
    ('network', 'text'),
    [
        ('resnet34', 'weights.pth does not fit the backbone: it holds ResNet-34'),
        ('resnet18d', 'weights.pth does not fit the backbone: it holds ResNet-18'),
        ('vit_tiny_patch16_224', 'weights.pth: holds no ResNet'),
        (None, 'checkpoint weights.pth is missing; check the path'),
    ],
)
def test_another_file_in_one_line(train, tmp_path, capsys, network, text):
    if network:
        torch.save(timm.create_model(network).state_dict(), tmp_path / 'weights.pth')
    assert train('weights.pth') == 2
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last.startswith('error: ')
    assert text in last
    assert not list(tmp_path.glob('run/*.pth'))
