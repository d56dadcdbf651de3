"""A checkpoint that asks for code to run is refused by every tool, wherever it comes from, and nothing in it runs."""

import os
from pathlib import Path

import pytest
import torch

from tests.helpers.processes import run_tool
from tests.tools.test_train_and_test import FINE_TUNE, PRETRAIN, SMALL, call


class Payload:
    """Creates a file when it is unpickled without limits."""

    def __init__(self, victim: Path) -> None:
        self.victim = victim

    def __reduce__(self):
        return os.system, (f'touch {self.victim}',)


def code(victim: Path) -> dict:
    """A payload among the weights."""
    meta = {'epoch': 1, 'iter': 2}
    return {'meta': meta, 'state_dict': {'backbone.conv1.weight': Payload(victim)}, 'message_hub': {}}


def config(victim: Path) -> dict:
    """Text that MMEngine executes on resuming."""
    meta = {'epoch': 1, 'iter': 2, 'config': f'open({str(victim)!r}, "w").close()'}
    return {'meta': meta, 'state_dict': {'backbone.conv1.weight': torch.ones(1)}, 'message_hub': {}}


@pytest.fixture(params=[code, config])
def hostile(request, tmp_path: Path, monkeypatch) -> Path:
    """A hostile checkpoint in the work folder ``run`` of the current folder; fails the test if anything in it ran."""
    monkeypatch.chdir(tmp_path)
    victim, path = tmp_path / 'victim', tmp_path / 'run' / 'epoch_1.pth'
    path.parent.mkdir()
    torch.save(request.param(victim), path)
    before = path.read_bytes()
    yield Path('run', path.name)
    assert not victim.exists(), 'the checkpoint ran code'
    assert path.read_bytes() == before
    assert sorted(file.name for file in tmp_path.rglob('*.pth')) == [path.name]


def options(data: Path, *more: str, parts: tuple[str, ...] = ('train', 'val', 'test')) -> list[str]:
    roots = [f'{part}_dataloader.dataset.data_root={data}' for part in parts]
    return ['--work-dir', 'run', '--cfg-options', *SMALL, *roots, *more]


def refused(status: int, err: str, path: Path) -> None:
    last = err.strip().splitlines()[-1]
    assert status == 2
    assert last.startswith(f'error: checkpoint {path} is refused')
    assert 'asks for' in last or 'would be executed' in last
    assert 'Traceback' not in err


@pytest.mark.slow
@pytest.mark.parametrize('recipe', [PRETRAIN, FINE_TUNE])
@pytest.mark.parametrize('way', ['a file', 'the work folder', 'last_checkpoint', 'load_from'])
def test_training(hostile: Path, recipe: Path, way: str, patches, monkeypatch, capsys) -> None:
    data = patches('synthetic', 128)
    if way == 'last_checkpoint':
        Path('run', 'last_checkpoint').write_text(str(hostile))
    flags = {'a file': ['--resume', hostile], 'load_from': []}.get(way, ['--resume'])
    more = [f'load_from={hostile}'] if way == 'load_from' else []
    if recipe == PRETRAIN:
        settings = options(data, 'train_dataloader.dataset.ann_file=', *more, parts=('train',))
    else:
        lists = 'train_dataloader.dataset.ann_file=splits/train_100pct.txt'
        settings = options(data, lists, 'model.backbone.init_cfg=None', *more)
    status = call(monkeypatch, 'train', recipe, *flags, *settings)
    refused(status, capsys.readouterr().err, hostile)


@pytest.mark.slow
def test_testing(hostile: Path, patches, monkeypatch, capsys) -> None:
    arguments = ['--out', 'scores.json', *options(patches('synthetic', 128))]
    status = call(monkeypatch, 'test', FINE_TUNE, hostile, *arguments)
    refused(status, capsys.readouterr().err, hostile)
    assert not Path('scores.json').exists()


def test_exporting(hostile: Path, monkeypatch, capsys) -> None:
    status = call(monkeypatch, 'export_backbone', hostile, 'backbone.pth')
    refused(status, capsys.readouterr().err, hostile)


@pytest.mark.slow
@pytest.mark.parametrize('hostile', [code], indirect=True)
@pytest.mark.parametrize('tool', ['train', 'test', 'export_backbone'])
def test_as_the_user_calls_it(hostile: Path, tool: str, patches) -> None:
    arguments = {
        'train': [FINE_TUNE, '--resume', hostile, *options(patches('synthetic', 128))],
        'test': [FINE_TUNE, hostile, *options(patches('synthetic', 128))],
        'export_backbone': [hostile, 'backbone.pth'],
    }[tool]
    # The switch by which PyTorch unpickles without limits makes no difference.
    done = run_tool(tool, *arguments, cwd=Path.cwd(), TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD='1', OMP_NUM_THREADS='1')
    refused(done.returncode, done.stderr, hostile)
    assert 'Traceback' not in done.stdout
