"""Build a runner from a config, choose what it resumes from, and train."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from logging import WARNING
from pathlib import Path

from mmengine.config import Config
from mmengine.logging import print_log
from mmengine.registry import RUNNERS
from mmengine.runner import Runner

from projects.false.common.work_lock import make_work_dir, work_dir_locked

from .checkpoints.latest import agree_on_checkpoint, choose_after_restart, choose_resumed, note_start, read_record
from .config import check_tensorboard
from .start_checks_hook import check_batches

_RANKS = {'pytorch': 'RANK', 'slurm': 'SLURM_PROCID', 'mpi': 'OMPI_COMM_WORLD_RANK'}


def is_first_process(launcher: str) -> bool:
    """Tell the process that decides and writes, while the processes have not met yet."""
    return os.environ.get(_RANKS.get(launcher, ''), '0') == '0'


@contextmanager
def alone_in_work_dir(config: Config) -> Iterator[None]:
    """Keep other runs out of the work folder while a run chooses its checkpoint and trains.

    Raises:
        InputError: Another run writes there, or it cannot be written.
    """
    if not is_first_process(config.launcher):
        yield
        return
    with work_dir_locked(config.work_dir):
        yield


def set_resume(config: Config, resume: str | None) -> None:
    """Resume from ``'auto'`` (the last complete checkpoint of the work folder) or from a file.

    The first process decides, :func:`train` tells the others. Started again by torchrun, a run goes on from what it
    saved itself, whatever else is in the work folder, and else as its first start did.

    Args:
        config: Gets ``resume`` and ``load_from``; without a checkpoint the run begins, from its own ``load_from``.
        resume: ``--resume``; None leaves it to the config.

    Raises:
        InputError: The file does not exist, or the work folder has damaged checkpoints only.
    """
    if not is_first_process(config.launcher):
        return
    record = read_record(config.work_dir)
    if resume is None and config.get('resume'):
        resume = config.get('load_from') or 'auto'
    if resume is None and record is None:
        _warn_of_checkpoints(config.work_dir)
        return
    found = choose_after_restart(config.work_dir, record) if record else choose_resumed(resume, config.work_dir)
    for text in found.skipped:
        print_log(f'passed over on resuming: {text}', 'current', WARNING)
    if record:
        place = found.path or 'the beginning: there is no checkpoint of this run yet'
        print_log(f'restart {len(record.runs)} by torchrun goes on from {place}', 'current')
    elif found.path is None:
        print_log(f'{config.work_dir}: no checkpoint to resume from yet, the run begins', 'current')
    config.resume = found.path is not None
    if found.path is not None:
        config.load_from = found.path


def _warn_of_checkpoints(folder: str) -> None:
    names = sorted(path.name for pattern in ('epoch_*.pth', 'iter_*.pth') for path in Path(folder).glob(pattern))
    if names:
        shown = f'{", ".join(names[:3])}{", ..." if len(names) > 3 else ""}'
        print_log(
            f'{folder} has checkpoints of an earlier run ({shown}): this run begins anew and replaces those of '
            'the same name; to go on from them add --resume, to keep them choose another --work-dir',
            'current',
            WARNING,
        )


def train(config: Config) -> None:
    """Train as the config says.

    Raises:
        InputError: Something about config or data that the user can mend.
    """
    runner = build_runner(config)
    agree_on_checkpoint(runner)
    note_start(runner)
    loader = runner.train_loop.dataloader
    if not getattr(loader.sampler, 'infinite', False):
        check_batches(len(loader.dataset), loader.batch_size, len(loader))
    runner.train()


def build_runner(config: Config) -> Runner:
    """Build the runner that the config asks for, after making sure that its work folder can be written."""
    make_work_dir(config.work_dir)
    check_tensorboard(config)
    if config.get('runner_type') is None:
        return Runner.from_cfg(config)
    return RUNNERS.build(config)
