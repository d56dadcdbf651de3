"""Kill a training run again and again while it saves: python -m tests.end_to_end.killed_runs FOLDER [KILLS [SEED]]

One process imports everything and forks a run for every kill, so that a kill costs a fraction of a second. A run goes
on from what the previous one left, through the same code as ``tools/train.py --resume``, and gets SIGKILL at a random
moment of a random stage of writing a checkpoint. The folder is checked after every kill; at the end a run goes on
undisturbed, and its result must equal that of a run that was never killed, bit for bit.
"""

import os
import random
import signal
import struct
import sys
import time
from collections import Counter
from pathlib import Path

import matplotlib.pyplot  # noqa: F401  MMEngine imports these when a runner is built: once here, not in every run
import mmengine.runner
import torch
import torch._dynamo
import torchvision  # noqa: F401
from mmengine.hooks import Hook

from projects.false.engine.checkpoints import files as checkpoints
from projects.false.engine.checkpoints import safe_hook as safe_checkpoint_hook
from projects.false.engine.checkpoints import safe_hook as verified_backend
from projects.false.engine.checkpoints.files import read_checkpoint, verify_checkpoint
from projects.false.engine.checkpoints.latest import choose_resumed, find_latest_checkpoint
from projects.false.engine.checkpoints.safe_hook import SafeCheckpointHook
from tests.helpers.runs import Points, Tiny, build_runner

STAGES = {
    b'c': 'collecting',
    b'w': 'writing the temporary file',
    b's': 'bringing it to the disk',
    b'v': 'verifying it',
    b'r': 'renaming it',
    b'p': 'writing last_checkpoint',
    b'o': 'removing the one before',
    b't': 'training',
}
_RECORD = struct.Struct('=cI')
_STARTED = b'!'


class Heavy(Tiny):
    """The tiny model with four megabytes of ballast, so that writing takes a while."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer('ballast', torch.arange(2.0**20))


class StopAt(Hook):
    """End the training after an iteration."""

    priority = 'LOWEST'

    def __init__(self, iteration: int | None) -> None:
        self.iteration = iteration

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        runner.train_loop.stop_training = runner.iter + 1 == self.iteration


def report_stages(report) -> None:
    """Call ``report`` on entering every stage of saving; the code itself stays as it is."""

    def before(owner, name: str, stage: bytes, then: bytes | None = None) -> None:
        real = getattr(owner, name)

        def wrapped(*args, **kwargs):
            report(stage)
            result = real(*args, **kwargs)
            if then:
                report(then)
            return result

        setattr(owner, name, wrapped)

    before(SafeCheckpointHook, '_save_checkpoint_with_step', b'c', then=b't')
    before(verified_backend, 'write_checkpoint_bytes', b'w')
    before(checkpoints, 'verify_checkpoint', b'v', then=b'r')
    before(safe_checkpoint_hook, 'write_text', b'p')
    before(SafeCheckpointHook, '_remove_outdated', b'o')
    real_fsync = os.fsync

    def fsync(descriptor: int) -> None:
        if report.stage == b'w':
            report(b's')
        real_fsync(descriptor)

    os.fsync = fsync


class Reporter:
    """Report every stage to the parent, and wait a moment in the stage in which to be killed."""

    def __init__(self, writer: int, target: tuple[bytes, int] | None) -> None:
        self.writer, self.target, self.iteration, self.stage, self.saves = writer, target, 0, b't', 0

    def __call__(self, stage: bytes) -> None:
        self.stage = stage
        self.saves += stage == b'c'
        os.write(self.writer, _RECORD.pack(stage, self.iteration))
        if self.target == (stage, self.saves):
            time.sleep(0.05)


def train(folder: Path, most: int, writer: int, target: tuple[bytes, int] | None, stop: int | None) -> None:
    """Go on from the work folder, saving after every iteration."""
    report = Reporter(writer, target)
    latest = choose_resumed('auto', folder).path
    saving = {'type': 'SafeCheckpointHook', 'by_epoch': False, 'interval': 1, 'max_keep_ckpts': most}
    loader = {'type': 'InfiniteSampler', 'shuffle': True}
    runner = build_runner(
        folder,
        model=Heavy(),
        train_cfg={'by_epoch': False, 'max_iters': 10**5},
        param_scheduler=None,
        train_dataloader={'dataset': Points(), 'batch_size': 4, 'sampler': loader},
        default_hooks={'checkpoint': saving},
        load_from=latest,
        resume=latest is not None,
    )
    runner.register_hook(StopAt(stop))

    class Iteration(Hook):
        priority = 'VERY_HIGH'

        def before_train(self, runner) -> None:
            os.write(writer, _RECORD.pack(_STARTED, runner.iter))

        def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
            report.iteration = runner.iter + 1

    runner.register_hook(Iteration())
    report_stages(report)
    runner.train()


def start(folder: Path, *arguments) -> tuple[int, int]:
    """Fork a run; return its process id and the pipe to read its reports from."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid:
        os.close(writer)
        return pid, reader
    status = 1
    try:
        os.close(reader)
        folder.mkdir(parents=True, exist_ok=True)
        log = os.open(folder / 'output.txt', os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(log, 1)
        os.dup2(log, 2)
        train(folder, arguments[0], writer, *arguments[1:])
        status = 0
    except BaseException:
        import traceback

        traceback.print_exc()
        sys.stderr.flush()
    finally:
        os._exit(status)


def records(reader: int):
    """Yield the reports of a run, until it ends."""
    while data := os.read(reader, _RECORD.size):
        yield _RECORD.unpack(data)


def kill_one(folder: Path, most: int, draw: random.Random, stage: bytes) -> tuple[bytes, int, int | None]:
    """Start a run and kill it: in ``stage`` of one of its first saves, or a few milliseconds after it.

    Returns:
        The stage it died in, the iteration it started at, and the last one whose checkpoint was complete.
    """
    saves, delay, pause = draw.randint(1, 4), draw.uniform(0, 0.004), draw.random() < 0.7
    pid, reader = start(folder, most, (stage, saves) if pause else None, None)
    seen, begun, complete, died = 0, -1, None, None
    for state, iteration in records(reader):
        if state == _STARTED:
            begun = iteration
            continue
        died = state
        seen += state == b'c'
        if state == b'o' and seen:
            complete = iteration
        if died == stage and seen == saves:
            time.sleep(delay)
            os.kill(pid, signal.SIGKILL)
            stage = None
    os.close(reader)
    _, status = os.waitpid(pid, 0)
    assert os.WIFSIGNALED(status), f'the run ended by itself: {(folder / "output.txt").read_text()[-3000:]}'
    assert os.WTERMSIG(status) == signal.SIGKILL
    return died, begun, complete


def check_folder(folder: Path, at_least: int) -> int:
    """Make sure that a complete checkpoint is found at once; return its iteration, 0 if there is none yet."""
    found = find_latest_checkpoint(folder)
    assert found.skipped == [], found
    assert mmengine.runner.find_latest_checkpoint(str(folder)) == found.path  # what `mim train --resume` takes
    files = sorted(folder.glob('*.pth'))
    assert len(files) <= 3, files
    for path in files:
        verify_checkpoint(path)
    iteration = verify_checkpoint(found.path)['meta']['iter'] if found.path else 0
    assert iteration >= at_least, f'{found.path} after a complete checkpoint of iteration {at_least}'
    return iteration


def finish(folder: Path, stop: int) -> dict:
    """Train undisturbed; return the last checkpoint."""
    pid, reader = start(folder, 1, None, stop)
    for _ in records(reader):
        pass
    _, status = os.waitpid(pid, 0)
    assert status == 0, (folder / 'output.txt').read_text()[-3000:]
    assert [path.name for path in folder.glob('*.pth')] == [f'iter_{stop}.pth'], sorted(folder.iterdir())
    assert not list(folder.glob('.*.tmp'))
    return read_checkpoint(folder / f'iter_{stop}.pth')


def same(one, other) -> bool:
    """Compare two nested structures of tensors and plain values."""
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other


def main(folder: Path, kills: int = 20, seed: int = 0) -> Counter:
    """Kill, check and finish; return the number of kills per stage."""
    torch.set_num_threads(1)
    draw, hits, reached = random.Random(seed), Counter(), 0
    plan = [list(STAGES)[number % len(STAGES)] for number in range(kills)]
    draw.shuffle(plan)
    for number, stage in enumerate(plan):
        died, begun, complete = kill_one(folder / 'killed', 1 + number % 2, draw, stage)
        assert begun == reached, f'the run went on from iteration {begun} instead of {reached}'
        reached = check_folder(folder / 'killed', complete or reached)
        hits[STAGES[died]] += 1
    one, other = finish(folder / 'killed', reached + 3), finish(folder / 'undisturbed', reached + 3)
    for part in ('state_dict', 'optimizer', 'rng'):
        assert same(one[part], other[part]), f'{part} differs from that of a run that nobody killed'
    print(f'{kills} kills, {kills} times a complete checkpoint was found and training went on from it')
    for stage in STAGES.values():
        print(f'{hits[stage]:3d} while {stage}')
    print(f'the result after {reached + 3} iterations is that of an undisturbed run')
    return hits


if __name__ == '__main__':
    main(Path(sys.argv[1]), *map(int, sys.argv[2:]))
