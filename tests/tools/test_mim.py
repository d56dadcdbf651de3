"""The recipes through mim, which runs train.py and test.py of mmpretrain, of mmseg and of this project."""

import importlib.metadata
import json

import pytest
import torch

from tests.helpers.processes import run_python
from tests.helpers.tools import REPOSITORY

SMALL = ['train_dataloader.batch_size=4', 'train_dataloader.num_workers=0', 'train_dataloader.persistent_workers=False']


def mim(cwd, *arguments):
    try:
        importlib.metadata.distribution('false-rs')
    except importlib.metadata.PackageNotFoundError:
        pytest.skip('false-rs is not installed here; make setup installs it')
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv('PYTHONPATH', raising=False)
        done = run_python('-m', 'mim', *arguments, cwd=cwd)
    assert done.returncode == 0, done.stdout[-1000:] + done.stderr[-3000:]
    return done.stdout


@pytest.mark.slow
def test_pretraining_fine_tuning_and_test(patches, tmp_path):
    """By the short names of the packages; pretraining from the repository root, the rest from another folder."""
    data = patches('synthetic', 128)
    roots = [f'{loader}_dataloader.dataset.data_root={data}' for loader in ('train', 'val', 'test')]
    mim(
        REPOSITORY, 'train', 'mmpretrain', 'configs/false_simclr_r18_synthetic.py', '--gpus', 0, '--work-dir',
        tmp_path / 'pretrain', '--cfg-options', *SMALL, roots[0], 'train_dataloader.dataset.ann_file=',
        'train_cfg.max_epochs=1',
    )  # fmt: skip
    backbone = tmp_path / 'pretrain' / 'backbone.pth'
    given = torch.load(backbone, weights_only=True)['state_dict']

    config = REPOSITORY / 'configs' / 'upernet_r18_synthetic.py'
    out = mim(
        tmp_path, 'train', 'mmseg', config, '--gpus', 0, '--work-dir', 'fine', '--cfg-options', *SMALL, *roots[:2],
        'train_cfg.max_iters=2', f'model.backbone.init_cfg.checkpoint={backbone}',
    )  # fmt: skip
    assert '0 missing, 0 unexpected' in out
    trained = torch.load(tmp_path / 'fine' / 'iter_2.pth', weights_only=True)['state_dict']
    assert {f'backbone.{name}' for name in given} <= trained.keys()

    out = mim(
        tmp_path, 'test', 'mmseg', config, '--checkpoint', 'fine/iter_2.pth', '--gpus', 0, '--work-dir', 'test',
        '--cfg-options', roots[2],
    )  # fmt: skip
    assert 'overall accuracy' in out
    (scores,) = (tmp_path / 'test').glob('*/*.json')
    (validation,) = (
        json.loads(line)
        for line in next((tmp_path / 'fine').glob('*/vis_data/scalars.json')).read_text().splitlines()
        if 'mIoU' in line
    )
    assert json.loads(scores.read_text())['mIoU'] == pytest.approx(validation['mIoU'], abs=1e-3)


def test_search(tmp_path):
    mim(tmp_path, 'search', 'false-rs', '--model', 'false', '--dataset', 'mbrsc', '--json', 'found.json')
    found = json.loads((tmp_path / 'found.json').read_text())
    assert found['config']['false_simclr_r18_mbrsc'] == 'configs/false_simclr_r18_mbrsc.py'
    assert set(found['model'].values()) == {'false'}
