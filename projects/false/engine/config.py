"""Read a config and apply the changes of the command line to it."""

import os
from importlib.util import find_spec
from logging import WARNING
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.logging import print_log

from projects.false.common.command_line import check_config
from projects.false.common.errors import InputError


def type_name(kind: Any) -> str:
    """Return the name of what ``type`` in a config stands for: a class, or its name with or without a scope.

    Args:
        kind: The value of ``type``, such as ``LoggerHook``, ``'LoggerHook'`` or ``'mmengine.LoggerHook'``.

    Returns:
        The name alone, ``'LoggerHook'``; empty if there is none.
    """
    name = kind if isinstance(kind, str) else getattr(kind, '__name__', '')
    return str(name).rpartition('.')[2]


def new_keys(config: Config, options: dict) -> list[str]:
    """List the keys of ``--cfg-options`` that a config does not have yet: additions, or typos."""

    def present(node, parts: list[str]) -> bool:
        if not parts:
            return True
        if isinstance(node, list | tuple):
            return parts[0].isdigit() and int(parts[0]) < len(node) and present(node[int(parts[0])], parts[1:])
        return isinstance(node, dict) and parts[0] in node and present(node[parts[0]], parts[1:])

    return [key for key in options if not present(config._cfg_dict, key.split('.'))]


def load_config(path: str, options: dict | None = None, work_dir: str | None = None, launcher: str = 'none') -> Config:
    """Read a config and apply the options of the command line.

    Args:
        path: The config file.
        options: ``--cfg-options`` as a dict with dotted keys.
        work_dir: Folder that the run writes to; by default ``work_dirs/<name of the config>`` in the current folder.
        launcher: MMEngine's launcher, ``none``, ``pytorch``, ``slurm`` or ``mpi``.

    Raises:
        InputError: The file is missing or not a config, or an option does not fit it.
    """
    check_config(path)
    try:
        config = Config.fromfile(path)
    except (SyntaxError, OSError, KeyError, TypeError, ModuleNotFoundError) as error:
        raise InputError(f'{path}: cannot be read as a config: {error}') from error
    if options:
        for key in new_keys(config, options):
            print_log(f'--cfg-options adds {key}, which {path} does not have; check its spelling', 'current', WARNING)
        try:
            config.merge_from_dict(options)
        except (KeyError, TypeError, IndexError, AttributeError) as error:
            raise InputError(f'--cfg-options {options}: does not fit {path}: {error}') from error
    config.launcher = launcher
    config.work_dir = work_dir or config.get('work_dir') or os.path.join('work_dirs', Path(path).stem)
    return config


def enable_amp(config: Config) -> None:
    """Train in mixed precision: with MMEngine's wrapper on a GPU, with bfloat16 autocast on a CPU."""
    chosen = type_name(config.optim_wrapper.get('type', 'OptimWrapper'))
    if chosen != 'OptimWrapper':
        print_log(f'--amp changes nothing: the config already trains with {chosen}', 'current')
        return
    if torch.cuda.is_available():
        config.optim_wrapper.type = 'AmpOptimWrapper'
        config.optim_wrapper.setdefault('loss_scale', 'dynamic')
    else:
        config.optim_wrapper.type = 'AutocastOptimWrapper'


def enable_auto_scale_lr(config: Config) -> None:
    """Scale the learning rate with the global batch.

    Raises:
        InputError: The config does not state the global batch that its learning rate is meant for.
    """
    if 'base_batch_size' not in config.get('auto_scale_lr', {}):
        raise InputError(f'{config.filename}: --auto-scale-lr needs auto_scale_lr.base_batch_size in the config')
    config.auto_scale_lr.enable = True


def allow_other_batch(config: Config) -> None:
    """Allow a resumed run to use a different global batch.

    Raises:
        InputError: The config has no hook that checks the global batch.
    """
    if 'resume_check' not in config.get('default_hooks', {}):
        raise InputError(f'{config.filename}: --allow-other-batch needs default_hooks.resume_check (ResumeCheckHook)')
    config.default_hooks.resume_check.allow_other_batch = True


_BACKENDS = {  # packages that a visualizer's backend needs: MMEngine would fail with a traceback
    'TensorboardVisBackend': 'tensorboard',
    'WandbVisBackend': 'wandb',
    'MLflowVisBackend': 'mlflow',
    'ClearMLVisBackend': 'clearml',
    'NeptuneVisBackend': 'neptune',
    'DVCLiveVisBackend': 'dvclive',
    'AimVisBackend': 'aim',
}


def check_backends(config: Config) -> None:
    """Check that the packages are installed that the visualizer of a config needs.

    Raises:
        InputError: A package is not installed.
    """
    visualizer = config.get('visualizer') or {}
    backends = (visualizer.get('vis_backends') if isinstance(visualizer, dict) else None) or ()
    for backend in backends:
        name = type_name(backend.get('type')) if isinstance(backend, dict) else ''
        package = _BACKENDS.get(name)
        if package is not None and find_spec(package) is None:
            raise InputError(
                f'visualizer.vis_backends has {name} and the package {package} is not installed; run: pip install '
                f'{package}{" -c constraints.txt" if package == "tensorboard" else ""}'
            )
