"""Training and testing on two processes: the scores are those of one, and torchrun survives deaths.

``test_launch_scripts`` has what ``dist_train.sh`` and ``dist_test.sh`` hand to the tools.
"""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from projects.false.common.errors import InputError
from projects.false.common.work_lock import lock_work_dir
from projects.false.engine.checkpoints.files import write_checkpoint
from tests.helpers.processes import run_tool, run_tool_on
from tests.helpers.tools import REPOSITORY
from tests.tools.test_launch_scripts import FREE
from tests.tools.test_mim import SMALL

CONFIG = REPOSITORY / 'configs' / 'upernet_r18_synthetic.py'


def alone(loader):
    """Options by which every process loads its patches itself."""
    return [f'{loader}_dataloader.num_workers=0', f'{loader}_dataloader.persistent_workers=False']


@pytest.mark.slow
def test_train_and_test_on_two_processes(patches, tmp_path):
    data = patches('synthetic', 128)
    odd = tmp_path / 'three.txt'  # three patches for two processes: one of them comes twice and must count once
    odd.write_text(''.join(f'{name}\n' for name in (data / 'splits' / 'test.txt').read_text().split()[:3]))
    roots = [f'{loader}_dataloader.dataset.data_root={data}' for loader in ('train', 'val', 'test')]
    listed = [f'{loader}_dataloader.dataset.ann_file={odd}' for loader in ('val', 'test')]
    done = run_tool_on(
        2, 'train', CONFIG, '--work-dir', 'fine', '--cfg-options', *SMALL, *roots[:2], listed[0],
        'train_cfg.max_iters=2', 'model.backbone.init_cfg=None', *alone('val'), cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    checkpoint = 'fine/iter_2.pth'
    assert [path.name for path in tmp_path.glob('fine/*.pth')] == ['iter_2.pth']

    # How float32 is rounded depends on the shape of a batch and on the threads, and one pixel more may change a class.
    # Both are the same in every process here, so that the scores must be equal on any processor.
    chosen = ['--cfg-options', roots[2], listed[1], 'test_dataloader.batch_size=1', *alone('test')]
    one_thread = {'OMP_NUM_THREADS': '1'}
    two = ['--out', 'two_out', '--predictions', 'two', *chosen]
    one = ['--out', 'one.json', '--predictions', 'one', *chosen]
    for done in (
        run_tool_on(2, 'test', CONFIG, checkpoint, *two, cwd=tmp_path, **one_thread),
        run_tool('test', CONFIG, checkpoint, *one, cwd=tmp_path, **one_thread),
    ):
        assert done.returncode == 0, done.stderr[-3000:]
    one, two = (json.loads((tmp_path / path).read_text()) for path in ('one.json', 'two_out/scores.json'))
    assert (tmp_path / 'two_out' / 'examples.png').is_file()
    assert one == two
    assert sum(map(sum, one['confusion_matrix'])) > 2 * 128 * 128
    for path in (tmp_path / 'one').iterdir():
        assert path.read_bytes() == (tmp_path / 'two' / path.name).read_bytes()


# Its epochs take so little that most of the time goes into starting.
NARROW = ['model.backbone.stem_channels=8', 'model.backbone.base_channels=8', 'model.neck.in_channels=64']
OLD = {'meta': {'iter': 999, 'epoch': 400, 'experiment_name': 'old'}, 'state_dict': {}, 'message_hub': {}}


def wait_for(condition, log, seconds=300):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, log.read_text()[-3000:]
        time.sleep(0.05)


def children(pid):
    return [int(child) for child in Path(f'/proc/{pid}/task/{pid}/children').read_text().split()]


def ended(pid):
    """Gone, or dead and not yet collected by init."""
    try:
        return Path(f'/proc/{pid}/stat').read_text().rsplit(')', 1)[1].split()[0] == 'Z'
    except OSError:
        return True


@pytest.mark.slow
def test_a_run_survives_the_death_of_its_processes_and_of_torchrun(patches, tmp_path):
    """A process dies before the first checkpoint and one later, then torchrun; --resume goes on at once."""
    run, log = tmp_path / 'run', tmp_path / 'log.txt'
    write_checkpoint(OLD, run / 'epoch_400.pth')  # of an earlier run, longer than this one
    (run / 'last_checkpoint').write_text(f'{run}/epoch_400.pth')
    kept = {key: value for key, value in os.environ.items() if key not in FREE}
    command = [
        REPOSITORY / 'tools' / 'dist_train.sh', REPOSITORY / 'configs' / 'false_simclr_r18_synthetic.py', 2,
        '--work-dir', 'run', '--cfg-options', *SMALL, f'train_dataloader.dataset.data_root={patches("synthetic", 128)}',
        'train_dataloader.dataset.ann_file=', 'train_cfg.max_epochs=300', 'default_hooks.checkpoint.interval=1',
        *NARROW,
    ]  # fmt: skip
    environment = kept | {'PYTHON': sys.executable, 'MAX_RESTARTS': '2'}
    with log.open('w') as file:
        torchrun = subprocess.Popen(
            [*map(str, command)], cwd=tmp_path, env=environment, stdout=file, stderr=subprocess.STDOUT
        )

    def said(pattern):
        return re.search(pattern, log.read_text())

    try:
        wait_for((run / '.launch.json').exists, log)
        os.kill(children(torchrun.pid)[0], signal.SIGKILL)
        wait_for(lambda: said('restart 1 by torchrun goes on from the beginning'), log)
        wait_for((run / 'epoch_2.pth').exists, log)
        with pytest.raises(InputError, match='is being written by process'):
            lock_work_dir(run, patience=0)
        os.kill(children(torchrun.pid)[1], signal.SIGKILL)
        wait_for(lambda: said(r'restart 2 by torchrun goes on from run/epoch_\d+\.pth'), log)
        reached = int(said(r'restart 2 by torchrun goes on from run/epoch_(\d+)\.pth')[1])
        wait_for((run / f'epoch_{reached + 2}.pth').exists, log)
        workers = children(torchrun.pid)
    finally:
        torchrun.kill()
        torchrun.wait()
    assert (len(workers), 2 <= reached < 300) == (2, True)
    wait_for(lambda: all(map(ended, workers)), log, seconds=20)

    end = int((run / 'last_checkpoint').read_text().rpartition('_')[2].removesuffix('.pth')) + 2
    done = run_tool_on(2, 'train', command[1], '--resume', *command[3:], f'train_cfg.max_epochs={end}', cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]
    starts = sorted(tmp_path.glob('run/*/vis_data/scalars.json'))
    epochs = [[json.loads(line)['epoch'] for line in path.read_text().splitlines()] for path in starts]
    begun = [each[0] for each in epochs if each]
    assert (begun[-3], begun[-2], epochs[-1][-1]) == (1, reached + 1, end)
    assert begun[-1] > reached + 1
    assert (run / 'backbone.pth').is_file()
