"""From a config file and command line options to a runner."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from logging import WARNING
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.logging import print_log
from mmengine.registry import RUNNERS
from mmengine.runner import Runner

from projects.false.common.work_lock import make_work_dir, work_dir_locked
from projects.false.errors import InputError

from .checkpoints.latest import agree_on_checkpoint, choose_after_restart, choose_resumed
from .launch_record import note_start, read_record
from .start_checks_hook import check_batches

_RANKS = {'pytorch': 'RANK', 'slurm': 'SLURM_PROCID', 'mpi': 'OMPI_COMM_WORLD_RANK'}


def new_keys(config: Config, options: dict) -> list[str]:
    """Keys of ``--cfg-options`` that a config does not have yet: additions, or slips of the pen."""

    def present(place, parts: list[str]) -> bool:
        if not parts:
            return True
        if isinstance(place, list | tuple):
            return parts[0].isdigit() and int(parts[0]) < len(place) and present(place[int(parts[0])], parts[1:])
        return isinstance(place, dict) and parts[0] in place and present(place[parts[0]], parts[1:])

    return [key for key in options if not present(config._cfg_dict, key.split('.'))]


def load_config(path: str, options: dict | None = None, work_dir: str | None = None, launcher: str = 'none') -> Config:
    """Read a config and apply what the command line says.

    Args:
        path: Config file.
        options: ``--cfg-options`` as a dict with dotted keys.
        work_dir: Where the run writes; by default ``work_dirs/<name of the config>`` in the current folder.
        launcher: MMEngine's launcher, ``none``, ``pytorch``, ``slurm`` or ``mpi``.

    Raises:
        InputError: The file is missing or is no config.
    """
    if not Path(path).is_file():
        raise InputError(f'{path}: no such config; the recipes are in configs/')
    try:
        config = Config.fromfile(path)
    except (SyntaxError, OSError, KeyError, TypeError, ModuleNotFoundError) as error:
        raise InputError(f'{path}: cannot be read as a config: {error}') from error
    if options:
        for key in new_keys(config, options):
            print_log(f'--cfg-options adds {key}, which {path} does not have; is it spelt right?', 'current', WARNING)
        try:
            config.merge_from_dict(options)
        except (KeyError, TypeError, IndexError, AttributeError) as error:
            raise InputError(f'--cfg-options {options}: does not fit {path}: {error}') from error
    config.launcher = launcher
    config.work_dir = work_dir or config.get('work_dir') or os.path.join('work_dirs', Path(path).stem)
    return config


def enable_amp(config: Config) -> None:
    """Train in mixed precision: MMEngine's on a GPU, bfloat16 autocast on a CPU, where MMEngine has none."""
    chosen = config.optim_wrapper.get('type', 'OptimWrapper')
    if chosen != 'OptimWrapper':
        print_log(f'--amp changes nothing: the config trains with {chosen} already', 'current')
        return
    if torch.cuda.is_available():
        config.optim_wrapper.type = 'AmpOptimWrapper'
        config.optim_wrapper.setdefault('loss_scale', 'dynamic')
    else:
        config.optim_wrapper.type = 'AutocastOptimWrapper'


def enable_auto_scale_lr(config: Config) -> None:
    """Scale the learning rate with the global batch.

    Raises:
        InputError: The config does not state the batch that its learning rate is meant for.
    """
    if 'base_batch_size' not in config.get('auto_scale_lr', {}):
        raise InputError(f'{config.filename}: --auto-scale-lr needs auto_scale_lr.base_batch_size in the config')
    config.auto_scale_lr.enable = True


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


def allow_other_batch(config: Config) -> None:
    """Let a run go on with another global batch than it began with.

    Raises:
        InputError: The config has nothing that checks it.
    """
    if 'resume_check' not in config.get('default_hooks', {}):
        raise InputError(f'{config.filename}: --allow-other-batch needs default_hooks.resume_check (ResumeCheckHook)')
    config.default_hooks.resume_check.allow_other_batch = True


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


def check_tensorboard(config: Config) -> None:
    """Make sure that TensorBoard's writer can be had where the config asks for it; MMEngine fails with a traceback.

    Raises:
        InputError: The package is not installed.
    """
    backends = (config.get('visualizer') or {}).get('vis_backends') or ()
    if any(backend.get('type') == 'TensorboardVisBackend' for backend in backends) and find_spec('tensorboard') is None:
        raise InputError(
            'visualizer.vis_backends has TensorboardVisBackend and the package tensorboard is not installed; '
            'run: pip install tensorboard -c constraints.txt'
        )


def build_runner(config: Config) -> Runner:
    """Build the runner that the config asks for, after making sure that its work folder can be written."""
    make_work_dir(config.work_dir)
    check_tensorboard(config)
    if config.get('runner_type') is None:
        return Runner.from_cfg(config)
    return RUNNERS.build(config)
