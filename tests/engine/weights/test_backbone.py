"""Export of the backbone: from a file, in a run and by the command line."""

import runpy
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from mmengine.hooks import EMAHook, Hook
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
        ("model = dict(type='a.b.FALSE', head=dict(loss=dict(type='c.NTXentLoss')))", 'SimCLR'),
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


class Halving(Hook):
    """Halve the weights of every checkpoint."""

    def before_save_checkpoint(self, runner, checkpoint: dict) -> None:
        checkpoint['state_dict'] = {name: value / 2 for name, value in checkpoint['state_dict'].items()}


@pytest.mark.parametrize('averaging', [EMAHook(), Halving()])
def test_the_backbone_is_that_of_the_last_checkpoint(tmp_path: Path, tiny_runner, averaging) -> None:
    runner = tiny_runner(
        'run', custom_hooks=[averaging, {'type': 'PlainCheckpointHook'}, {'type': 'ExportBackboneHook'}]
    )
    runner.train()
    read = torch.load(tmp_path / 'run' / 'backbone.pth', weights_only=True)
    saved = torch.load(tmp_path / 'run' / 'epoch_4.pth', weights_only=True)['state_dict']
    assert torch.equal(read['state_dict']['weight'], saved['backbone.weight'])
    assert not torch.equal(read['state_dict']['weight'], runner.model.backbone.weight)


def frozen(runner) -> None:
    runner.model.backbone.requires_grad_(False)


def without_rate(runner) -> None:
    runner.optim_wrapper['paramwise_cfg'] = dict(custom_keys={'backbone': dict(lr_mult=0.0)})


@pytest.mark.parametrize('spoil', [frozen, without_rate])
def test_a_backbone_that_cannot_learn_is_refused_at_the_start(tmp_path: Path, tiny_runner, spoil) -> None:
    runner = tiny_runner('run', custom_hooks=[{'type': 'ExportBackboneHook'}])
    spoil(runner)
    with pytest.raises(InputError, match=r'nothing in model\.backbone is trained'):
        runner.train()
    assert not list((tmp_path / 'run').glob('*.pth'))


def test_a_finished_run_whose_rate_came_down_to_0_can_be_resumed(tmp_path: Path, tiny_runner) -> None:
    end = [{'type': 'CosineAnnealingLR', 'by_epoch': True, 'begin': 0, 'eta_min': 0.0}]
    settings = dict(param_scheduler=end, custom_hooks=[{'type': 'ExportBackboneHook'}])
    tiny_runner('run', **settings).train()
    (tmp_path / 'run' / 'backbone.pth').unlink()
    tiny_runner('run', **settings, resume=True, experiment_name=f'{tmp_path.name}-again').train()
    assert (tmp_path / 'run' / 'backbone.pth').is_file()


def test_weights_that_are_broken_where_no_checkpoint_is_due(tmp_path: Path, tiny_runner) -> None:
    class Break(Hook):
        def after_train_epoch(self, runner) -> None:
            torch.nn.init.constant_(runner.model.backbone.weight, float('nan'))

    saving = {'checkpoint': {'type': 'SafeCheckpointHook', 'interval': 9, 'save_last': False}}
    hooks = [Break(), {'type': 'ExportBackboneHook'}]
    with pytest.raises(InputError, match=r'4 weights and 0 optimizer values are not finite after iteration 16'):
        tiny_runner('run', default_hooks=saving, custom_hooks=hooks).train()
    assert not (tmp_path / 'run' / 'backbone.pth').exists()


def test_weights_that_did_not_change_are_no_backbone(tmp_path: Path, tiny_runner) -> None:
    class Undone(Hook):
        def before_train(self, runner) -> None:
            self.start = {name: value.clone() for name, value in runner.model.state_dict().items()}

        def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
            runner.model.load_state_dict(self.start)

    runner = tiny_runner('run', custom_hooks=[Undone(), {'type': 'ExportBackboneHook'}])
    with pytest.raises(InputError, match=r'16 iterations have not changed .* backbone\.pth is not written'):
        runner.train()
    assert not (tmp_path / 'run' / 'backbone.pth').exists()


def test_command_line(tmp_path: Path, pretraining_checkpoint: Path) -> None:
    command = [sys.executable, TOOL, pretraining_checkpoint, tmp_path / 'backbone.pth']
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert '2 tensors (method FALSE' in run.stdout


def test_command_line_error(tmp_path: Path, capsys) -> None:
    main = runpy.run_path(str(TOOL))['main']
    assert main([str(tmp_path / 'no.pth'), str(tmp_path / 'out.pth')]) == 2
    assert capsys.readouterr().err == f'error: checkpoint {tmp_path}/no.pth is missing; check the path\n'
