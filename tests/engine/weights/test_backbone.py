"""Export of the backbone: from a file, in a run and by the command line."""

import runpy
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from projects.false.common.errors import InputError
from projects.false.engine.weights.backbone import backbone_weights, export_backbone, method_of
from tests.helpers.tools import REPOSITORY

TOOL = REPOSITORY / 'tools' / 'export_backbone.py'


@pytest.fixture
def pretraining_checkpoint(tmp_path: Path) -> Path:
    weights = {
        'backbone.conv1.weight': nn.Parameter(torch.arange(12.0).reshape(3, 4)).t(),
        'backbone.layer1.0.conv1.weight': torch.ones(100)[:2],
        'neck.fc.weight': torch.ones(3),
    }
    meta = {
        'epoch': 3,
        'iter': 30,
        'seed': 0,
        'experiment_name': 'run',
        'cfg': "lr = 1\nmodel = dict(type='FALSE', x=f())",
    }
    path = tmp_path / 'epoch_3.pth'
    torch.save({'state_dict': weights, 'meta': meta, 'optimizer': {}}, path)
    return path


def test_export(tmp_path: Path, pretraining_checkpoint: Path) -> None:
    out = tmp_path / 'out' / 'backbone.pth'
    written = export_backbone(pretraining_checkpoint, out, arch='ResNet')
    read = torch.load(out, weights_only=True)
    assert read['meta'] == written['meta']
    expected = {'method': 'FALSE', 'epoch': 3, 'iter': 30, 'arch': 'ResNet', 'config_name': 'run'}
    assert read['meta'].items() >= expected.items()
    assert set(read['state_dict']) == {'conv1.weight', 'layer1.0.conv1.weight'}
    assert torch.equal(read['state_dict']['conv1.weight'], torch.arange(12.0).reshape(3, 4).t())
    for tensor in read['state_dict'].values():
        assert tensor.is_contiguous()
        assert not tensor.requires_grad
        assert tensor.untyped_storage().nbytes() == tensor.numel() * tensor.element_size()


def test_parallel_prefix() -> None:
    assert list(backbone_weights({'module.backbone.w': torch.ones(1), 'module.neck.w': torch.ones(1)})) == ['w']


@pytest.mark.parametrize('content', [{'state_dict': {'fc.weight': torch.ones(1)}}, {'meta': {}}, [1, 2], torch.ones(1)])
def test_no_backbone(tmp_path: Path, content) -> None:
    torch.save(content, tmp_path / 'other.pth')
    with pytest.raises(InputError, match=r"other\.pth has no weights under 'backbone\.'"):
        export_backbone(tmp_path / 'other.pth', tmp_path / 'out.pth')
    assert not (tmp_path / 'out.pth').exists()


@pytest.mark.parametrize(
    ('text', 'expected'),
    [
        ("model = dict(type='A')", 'A'),
        ("model = dict(type='FALSE', head=dict(loss=dict(type='FALSELoss')))", 'FALSE'),
        ("model = dict(type='FALSE', head=dict(loss=dict(type='NTXentLoss')))", 'SimCLR'),
        ("model = {'type': 'A'}", None),
        ('model = open("x")', None),
        ('model =', None),
        ("other = dict(type='A')", None),
    ],
)
def test_method_is_read_not_run(text: str, expected: str | None) -> None:
    assert method_of(text) == expected


def test_hook_leaves_a_backbone_in_the_work_folder(tmp_path: Path, tiny_runner) -> None:
    runner = tiny_runner('run', custom_hooks=[{'type': 'ExportBackboneHook'}])
    runner.train()
    read = torch.load(tmp_path / 'run' / 'backbone.pth', weights_only=True)
    assert torch.equal(read['state_dict']['weight'], runner.model.backbone.weight)
    assert read['meta'].items() >= {'method': 'Tiny', 'arch': 'Linear', 'epoch': 4, 'iter': 16, 'seed': 7}.items()


def test_command_line(tmp_path: Path, pretraining_checkpoint: Path) -> None:
    command = [sys.executable, TOOL, pretraining_checkpoint, tmp_path / 'backbone.pth']
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert '2 tensors (method FALSE' in run.stdout


def test_command_line_error(tmp_path: Path, capsys) -> None:
    main = runpy.run_path(str(TOOL))['main']
    assert main([str(tmp_path / 'no.pth'), str(tmp_path / 'out.pth')]) == 2
    assert capsys.readouterr().err == f'error: checkpoint {tmp_path}/no.pth is missing; check the path\n'
