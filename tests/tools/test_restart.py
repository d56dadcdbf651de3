"""A process that is killed under torchrun goes on by itself, without --resume."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tests.tools.test_train_and_test import PRETRAIN, SMALL

HOOK = """
import os
import signal

from mmengine.hooks import Hook
from mmengine.registry import HOOKS


@HOOKS.register_module()
class KillHook(Hook):
    def before_train_epoch(self, runner):
        if os.environ['TORCHELASTIC_RESTART_COUNT'] == '0' and runner.epoch == 2:
            os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.slow
def test_restart_goes_on_from_the_last_checkpoint(patches, tmp_path: Path) -> None:
    (tmp_path / 'kill_hook.py').write_text(HOOK)
    (tmp_path / 'recipe.py').write_text(
        f'_base_ = {str(PRETRAIN)!r}\n'
        "custom_hooks = [dict(type='KillHook')]\n"
        "custom_imports = dict(imports=['projects.false.models', 'projects.false.datasets', 'projects.false.engine', "
        "'kill_hook'], allow_failed_imports=False)\n"
    )
    options = [
        *SMALL,
        f'train_dataloader.dataset.data_root={patches("synthetic", 128)}',
        'train_dataloader.dataset.ann_file=',
        'train_cfg.max_epochs=3',
        'default_hooks.checkpoint.interval=1',
    ]
    torchrun = ['-m', 'torch.distributed.run', '--nproc-per-node=1', '--max-restarts=1', '--standalone']
    train = [str(REPOSITORY / 'tools' / 'train.py'), 'recipe.py', '--launcher', 'pytorch', '--cfg-options', *options]
    environment = {**os.environ, 'OMP_NUM_THREADS': '1', 'PYTHONPATH': str(tmp_path)}
    done = subprocess.run(
        [sys.executable, *torchrun, *train], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=500
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, said[-3000:]
    assert f'Signal {int(signal.SIGKILL)}' in said or 'SIGKILL' in said or f'exitcode: -{int(signal.SIGKILL)}' in said
    assert 'restart 1 by torchrun goes on from work_dirs/recipe/epoch_2.pth' in said
    assert 'resumed epoch: 2, iter: 4' in said
    assert said.count('Saving checkpoint at 3 epochs') >= 1
    assert sorted(path.name for path in (tmp_path / 'work_dirs' / 'recipe').glob('epoch_*')) == [
        'epoch_2.pth',
        'epoch_3.pth',
    ]
