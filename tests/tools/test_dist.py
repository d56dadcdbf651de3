"""tools/dist_train.sh and dist_test.sh with two processes: the scores are those of one, and a death is survived."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tests.tools.test_launch_scripts import FREE, shell
from tests.tools.test_mim import SMALL

CONFIG = REPOSITORY / 'configs' / 'upernet_r18_synthetic.py'


@pytest.mark.slow
def test_train_and_test_on_two_processes(patches, tmp_path):
    data = patches('synthetic', 128)
    odd = tmp_path / 'three.txt'  # three patches for two processes: one of them comes twice and must count once
    odd.write_text(''.join(f'{name}\n' for name in (data / 'splits' / 'test.txt').read_text().split()[:3]))
    roots = [f'{loader}_dataloader.dataset.data_root={data}' for loader in ('train', 'val', 'test')]
    listed = [f'{loader}_dataloader.dataset.ann_file={odd}' for loader in ('val', 'test')]
    done = shell(
        tmp_path, REPOSITORY / 'tools' / 'dist_train.sh', CONFIG, 2, '--work-dir', 'fine', '--cfg-options', *SMALL,
        *roots[:2], listed[0], 'train_cfg.max_iters=2', 'model.backbone.init_cfg=None',
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    checkpoint = 'fine/iter_2.pth'
    assert [path.name for path in tmp_path.glob('fine/*.pth')] == ['iter_2.pth']

    chosen = ['--cfg-options', roots[2], listed[1]]
    for name, command in (
        ('two', [REPOSITORY / 'tools' / 'dist_test.sh', CONFIG, checkpoint, 2]),
        ('one', [sys.executable, REPOSITORY / 'tools' / 'test.py', CONFIG, checkpoint]),
    ):
        done = shell(tmp_path, *command, '--out', f'{name}.json', '--predictions', name, *chosen)
        assert done.returncode == 0, done.stderr[-3000:]
    one, two = (json.loads((tmp_path / f'{name}.json').read_text()) for name in ('one', 'two'))
    assert one == two
    assert sum(map(sum, one['confusion_matrix'])) > 2 * 128 * 128
    for path in (tmp_path / 'one').iterdir():
        assert path.read_bytes() == (tmp_path / 'two' / path.name).read_bytes()


@pytest.mark.slow
def test_a_run_whose_process_was_killed_goes_on_by_itself(patches, tmp_path):
    kept = {key: value for key, value in os.environ.items() if key not in FREE}
    command = [
        REPOSITORY / 'tools' / 'dist_train.sh', REPOSITORY / 'configs' / 'false_simclr_r18_synthetic.py', 2,
        '--work-dir', 'run', '--cfg-options', *SMALL, f'train_dataloader.dataset.data_root={patches("synthetic", 128)}',
        'train_dataloader.dataset.ann_file=', 'train_cfg.max_epochs=20', 'default_hooks.checkpoint.interval=1',
    ]  # fmt: skip
    with (tmp_path / 'log.txt').open('w') as log:
        run = subprocess.Popen(
            [*map(str, command)],
            cwd=tmp_path,
            env=kept | {'PYTHON': sys.executable, 'MAX_RESTARTS': '1'},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        deadline = time.monotonic() + 300
        while not (tmp_path / 'run' / 'epoch_2.pth').exists() and time.monotonic() < deadline and run.poll() is None:
            time.sleep(0.1)
        processes = Path(f'/proc/{run.pid}/task/{run.pid}/children').read_text().split()
        assert len(processes) == 2, (tmp_path / 'log.txt').read_text()[-3000:]
        os.kill(int(processes[1]), signal.SIGKILL)
        assert run.wait(timeout=300) == 0, (tmp_path / 'log.txt').read_text()[-3000:]
    said = re.search(r'restart 1 by torchrun goes on from run/epoch_(\d+)\.pth', (tmp_path / 'log.txt').read_text())
    assert int(said.group(1)) >= 2
    starts = sorted(tmp_path.glob('run/*/vis_data/scalars.json'))
    second = [json.loads(line)['epoch'] for line in starts[1].read_text().splitlines()]
    assert (len(starts), second[0], second[-1]) == (2, int(said.group(1)) + 1, 20)
    assert (tmp_path / 'run' / 'backbone.pth').is_file()
