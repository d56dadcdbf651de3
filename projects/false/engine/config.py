"""Read a config, apply the changes of the command line to it, and build its data."""

import ast
import os
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from logging import WARNING
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config, ConfigDict
from mmengine.dataset import BaseDataset, ConcatDataset
from mmengine.logging import print_log
from mmengine.registry import DATASETS, init_default_scope

from projects.false.common.command_line import user_message
from projects.false.common.errors import InputError, type_name
from projects.false.common.published import check_plain, published_folder
from projects.false.common.recipes import config_bases, find_config

from .config_checks import build_error, check_effect, check_sections, first_line
from .precision import gpu_has_bfloat16


def new_keys(config: Config, options: dict) -> list[str]:
    """List the keys of ``--cfg-options`` that a config does not have yet: additions, or typos."""

    def present(node, parts: list[str]) -> bool:
        if not parts:
            return True
        if isinstance(node, list | tuple):
            return parts[0].isdecimal() and int(parts[0]) < len(node) and present(node[int(parts[0])], parts[1:])
        return isinstance(node, dict) and parts[0] in node and present(node[parts[0]], parts[1:])

    return [key for key in options if not present(config._cfg_dict, key.split('.'))]


_READERS = ('fromfile', '_file2dict', '_is_lazy_import', '_parse_lazy_import')  # of MMEngine's Config


def _slip(path: str, error: BaseException) -> str:
    """Say in one line which config could not be read, where, and why."""
    read, line = [path], None
    for frame, number in traceback.walk_tb(error.__traceback__):
        name = frame.f_locals.get('filename')
        if frame.f_code.co_name in _READERS and isinstance(name, str) and os.path.isfile(name):
            read.append(name)
        elif any(os.path.abspath(frame.f_code.co_filename) == os.path.abspath(config) for config in read):
            read.append(frame.f_code.co_filename)
            line = number
    if isinstance(error, InputError):
        return str(error)
    if isinstance(error, RecursionError):
        return f'{read[0]}: its bases lead back to itself; give another base'
    if isinstance(error, UnicodeDecodeError):
        return f'{read[-1]}: cannot be read as text ({error.reason} at byte {error.start}); save it as UTF-8'
    if isinstance(error, SyntaxError) and error.filename and os.path.isfile(error.filename):
        line = error.lineno
        read.append(error.filename)
    if hasattr(error, 'problem_mark'):  # of YAML
        line = error.problem_mark.line + 1
    where = f'{read[-1]}, line {line}' if line else read[-1]
    return f'{where}: cannot be read as a config: {first_line(error)}'


@contextmanager
def _old_bases() -> Iterator[None]:
    """Let a config in MMEngine's new style (``with read_base():``) inherit from recipes in the old one (``_base_``).

    MMEngine refuses to mix them. Here the variables of an old-style base reach the new-style config as if it had
    defined them, and its ``custom_imports`` are imported.
    """
    parse = Config._parse_lazy_import

    def parse_either(filename: str) -> tuple[ConfigDict, set]:
        if not _is_old(filename):
            return parse(filename)
        lazy, ConfigDict.lazy = ConfigDict.lazy, False
        try:
            return ConfigDict(Config.fromfile(filename).to_dict()), set()
        finally:
            ConfigDict.lazy = lazy

    Config._parse_lazy_import = staticmethod(parse_either)
    try:
        yield
    finally:
        Config._parse_lazy_import = staticmethod(parse)


def _check_circle(path: Path, above: tuple[Path, ...] = ()) -> None:
    """Refuse a config whose bases lead back to itself, on which MMEngine would run out of memory."""
    path = Path(os.path.abspath(path))
    if path in above:
        raise InputError(f'{path}: its _base_ leads back to itself; give another base')
    for base in config_bases(path):
        _check_circle(base, (*above, path))


def _is_old(filename: str) -> bool:
    statements = ast.parse(Path(filename).read_text(encoding='utf-8')).body
    targets = [target for statement in statements if isinstance(statement, ast.Assign) for target in statement.targets]
    return any(isinstance(target, ast.Name) and target.id == '_base_' for target in targets)


def load_config(
    path: str,
    options: dict | None = None,
    work_dir: str | None = None,
    launcher: str = 'none',
    needs: Sequence[str] = (),
    source: str = '--cfg-options',
) -> Config:
    """Read a config and apply options, those of the command line or of a spec.

    Args:
        path: The config file, or the name of a recipe (:func:`~projects.false.common.recipes.find_config`).
        options: Values by dotted key, as ``--cfg-options`` gives them.
        work_dir: Folder that the run writes to; by default ``work_dirs/<name of the config>`` in the current folder.
        launcher: MMEngine's launcher, ``none``, ``pytorch``, ``slurm`` or ``mpi``.
        needs: Keys without which the caller can do nothing, such as ``model``; each has to be a dict.
        source: What the messages call the options.

    Raises:
        InputError: The file is missing or not a config, an option does not fit it, or a needed key is missing.
    """
    folder = published_folder(path)
    name = Path(path).name if folder else Path(path).stem
    path = str(find_config(path))
    if folder:
        check_plain(path)
    try:
        _check_circle(Path(path))
        with _old_bases():
            config = Config.fromfile(path)
    except (Exception, SystemExit) as error:
        raise InputError(_slip(path, error)) from error
    if options:
        check_effect(config, options, source)
        for key in new_keys(config, options):
            print_log(f'{source} adds {key}, which {path} does not have; check its spelling', 'current', WARNING)
        try:
            config.merge_from_dict(options)
        except Exception as error:
            raise InputError(f'{source} {options}: does not fit {path}: {first_line(error)}') from error
    check_sections(config, path, needs)
    config.launcher = launcher
    config.work_dir = work_dir or config.get('work_dir') or os.path.join('work_dirs', name)
    return config


def enable_amp(config: Config) -> None:
    """Train in mixed precision: bfloat16, or float16 with loss scaling on a GPU that has no bfloat16."""
    chosen = type_name(config.optim_wrapper.get('type', 'OptimWrapper'))
    if chosen != 'OptimWrapper':
        print_log(f'--amp changes nothing: the config already trains with {chosen}', 'current')
        return
    if torch.cuda.is_available() and not gpu_has_bfloat16():
        config.optim_wrapper.type = 'AmpOptimWrapper'
        config.optim_wrapper.setdefault('loss_scale', 'dynamic')
    else:
        config.optim_wrapper.type = 'AutocastOptimWrapper'


def enable_auto_scale_lr(config: Config) -> None:
    """Scale the learning rate with the global batch.

    Raises:
        InputError: The config does not state the global batch that its learning rate is meant for.
    """
    if (config.get('auto_scale_lr') or {}).get('base_batch_size') is None:
        raise InputError(f'{config.filename}: --auto-scale-lr needs auto_scale_lr.base_batch_size in the config')
    config.auto_scale_lr.enable = True


def without_validation(config: Config) -> None:
    """Leave out the validation during training."""
    config.val_cfg = config.val_dataloader = config.val_evaluator = None


def set_loaders(config: Config, **settings: Any) -> None:
    """Set arguments of all data loaders of a config."""
    for name in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        if config.get(name):
            config[name].update(settings)


def allow_other_batch(config: Config) -> None:
    """Allow a resumed run to use a different global batch.

    Raises:
        InputError: The config has no hook that checks the global batch.
    """
    if not (config.get('default_hooks') or {}).get('resume_check'):
        raise InputError(f'{config.filename}: --allow-other-batch needs default_hooks.resume_check (ResumeCheckHook)')
    config.default_hooks.resume_check.allow_other_batch = True


def build_dataset(config: Config, split: str) -> BaseDataset | ConcatDataset:
    """Build the data set of a recipe's ``train``, ``val`` or ``test`` loader, with its pipeline.

    Raises:
        InputError: The recipe has no such loader, its data is missing, or its data set cannot be built.
    """
    splits = [name for name in ('train', 'val', 'test') if config.get(f'{name}_dataloader')]
    if split not in splits:
        raise InputError(f'{config.filename}: has no {split}_dataloader; choose --split {" or ".join(splits)}')
    init_default_scope(config.get('default_scope', 'mmengine'))
    section = f'{split}_dataloader.dataset'
    try:
        return DATASETS.build(_without_evidence(config[f'{split}_dataloader'].dataset))
    except Exception as error:
        if user_message(error) is not None:
            raise
        raise build_error(section, error) from error


def _without_evidence(dataset: Mapping[str, Any]) -> dict[str, Any]:
    """Return the config of a data set, or of joined ones, that computes no evidence, as it is not shown."""
    changed = {**dataset, 'evidence': None} if 'evidence' in dataset else dict(dataset)
    if 'datasets' in dataset:
        changed['datasets'] = [_without_evidence(part) for part in dataset['datasets']]
    return changed
