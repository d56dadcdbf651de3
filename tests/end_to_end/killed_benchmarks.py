"""Kill a benchmark in every stage, go on, and compare: python -m tests.end_to_end.killed_benchmarks SPEC FOLDER

One process imports everything and forks a runner for every try, so that a try costs no more than its steps.
"""

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

from mmengine.runner import EpochBasedTrainLoop, IterBasedTrainLoop

from projects.false.common import work_lock
from projects.false.experiments import children
from projects.false.experiments.benchmark import runner as benchmark
from projects.false.experiments.benchmark import runner as results_file
from tests.helpers.tools import main_of


def fork_runner(spec: str, folder: Path, before: Callable[[], None] = lambda: None) -> int:
    """Start ``tools/run_benchmark.py`` in a process of its own; return its id."""
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        out = os.open(folder.with_suffix('.log'), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(out, 1)
        os.dup2(out, 2)
        before()
        status = main_of('run_benchmark')([spec, '--work-dir', str(folder), '--jobs', '2'])
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def ended(pid: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def kill_as_soon_as(pid: int, happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not happened():
        assert time.monotonic() < deadline, 'it never happened'
        assert os.waitpid(pid, os.WNOHANG)[0] == 0, 'the runner ended before'
        time.sleep(0.01)
    os.kill(pid, signal.SIGKILL)
    assert ended(pid) == -signal.SIGKILL


def stay_after(loop: type, part: str, work_dir: Path) -> None:
    """Make the runs in a work folder wait to be killed after a part of their training."""
    real = getattr(loop, part)

    def then_wait(self, *given) -> None:
        real(self, *given)
        if Path(self.runner.work_dir) == work_dir:
            time.sleep(600)

    setattr(loop, part, then_wait)


def die(*given) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def write_half(descriptor: int, data: bytes) -> None:
    os.write(descriptor, data[: len(data) // 2])
    die()


def main(spec: str, folder: Path) -> None:
    """Print every try; any exception is a failure."""
    assert children.preload()
    work_lock.lock_work_dir.__defaults__ = (0.2,)
    killed, whole = folder / 'killed', folder / 'whole'

    pretraining = killed / 'pretrain' / 'simclr' / 'seed1'
    pid = fork_runner(spec, killed, lambda: stay_after(EpochBasedTrainLoop, 'run_epoch', pretraining))
    while not pretraining.is_dir():
        time.sleep(0.01)
    second = fork_runner(spec, killed)
    assert ended(second) == 2
    said = killed.with_suffix('.log').read_text()
    assert f'error: {killed} is being written by process {pid}' in said, said
    print('a second runner was refused')
    kill_as_soon_as(pid, lambda: (pretraining / 'last_checkpoint').is_file())
    assert not (killed / 'logs' / 'pretrain' / 'simclr' / 'seed1.done').exists()
    print('killed in pretraining')

    tuning = killed / 'finetune' / 'upernet' / '50pct' / 'simclr' / 'seed1_draw1'
    pid = fork_runner(spec, killed, lambda: stay_after(IterBasedTrainLoop, 'run_iter', tuning))
    kill_as_soon_as(pid, lambda: any(tuning.glob('*/*.log')))
    assert not (killed / 'logs' / 'finetune' / 'upernet' / '50pct' / 'simclr' / 'seed1_draw1.done').exists()
    print('killed in fine-tuning')

    results = killed / 'results.jsonl'
    before = results.read_bytes() if results.exists() else b''
    assert ended(fork_runner(spec, killed, lambda: setattr(results_file, '_write', write_half))) == -signal.SIGKILL
    torn = results.read_bytes()
    assert torn.startswith(before)
    assert not torn.endswith(b'\n')
    print('killed while writing a result')

    assert ended(fork_runner(spec, killed, lambda: setattr(benchmark, 'append_result', die))) == -signal.SIGKILL
    assert results.read_bytes() == torn[: torn.rfind(b'\n') + 1]
    print('killed before writing a result')

    assert ended(fork_runner(spec, killed)) == 0, killed.with_suffix('.log').read_text()
    assert ended(fork_runner(spec, whole)) == 0, whole.with_suffix('.log').read_text()
    print('went on to the end')


if __name__ == '__main__':
    main(sys.argv[1], Path(sys.argv[2]))
