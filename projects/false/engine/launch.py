"""From a config file and command line options to a runner."""

import os
from logging import WARNING
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.logging import print_log
from mmengine.registry import RUNNERS
from mmengine.runner import Runner

from projects.false.errors import InputError

from .start_checks_hook import check_batches


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


def set_resume(config: Config, resume: str | None) -> None:
    """Resume from ``'auto'`` (the last checkpoint of the work folder) or from a file.

    Raises:
        InputError: The file does not exist.
    """
    if resume is None:
        return
    config.resume = True
    config.load_from = None if resume == 'auto' else resume
    if config.load_from and not Path(config.load_from).is_file():
        raise InputError(f'{config.load_from}: no such checkpoint to resume from')


def fit_schedules(config: Config) -> None:
    """Drop schedules that would begin after the end of a shortened run; MMEngine stops at them with an assertion."""
    length = config.train_cfg.get('max_epochs') or config.train_cfg.get('max_iters')
    config.param_scheduler = [entry for entry in config.param_scheduler if entry.get('begin', 0) < length]


def train(config: Config) -> None:
    """Train as the config says.

    Raises:
        InputError: Something about config or data that the user can mend.
    """
    fit_schedules(config)
    runner = build_runner(config)
    loader = runner.train_loop.dataloader
    if not getattr(loader.sampler, 'infinite', False):
        check_batches(len(loader.dataset), loader.batch_size, len(loader))
    runner.train()


def build_runner(config: Config) -> Runner:
    """Build the runner that the config asks for, after making sure that its work folder can be written."""
    try:
        Path(config.work_dir).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f'{config.work_dir}: cannot be made ({error.strerror}); choose another --work-dir') from error
    if config.get('runner_type') is None:
        return Runner.from_cfg(config)
    return RUNNERS.build(config)
