"""Check a config before it is built, and say in one line why a part of it cannot be built."""

import difflib
import fnmatch
import inspect
import math
import re
import traceback
from collections.abc import Callable, Iterable, Iterator
from importlib.util import find_spec
from logging import DEBUG
from pathlib import Path
from types import FunctionType
from typing import Any

from mmengine.config import Config
from mmengine.logging import print_log
from mmengine.registry import DATA_SAMPLERS
from mmengine.runner import Runner

from projects.false.common.errors import InputError, type_name

_PACKAGE = Path(__file__).resolve().parents[1]
_READ_BESIDE_THE_RUNNER = {
    'activation_checkpointing',
    'compile',
    'custom_imports',
    'efficient_conv_bn_eval',
    'find_unused_parameters',
    'model_wrapper_cfg',
    'runner_type',
    'sync_bn',
    'tta_model',
    'tta_pipeline',
}
_PLAIN = {
    'auto_scale_lr': ('enable', 'base_batch_size'),
    'env_cfg': ('cudnn_benchmark', 'mp_cfg', 'dist_cfg', 'resource_limit'),
}


def check_effect(config: Config, options: dict, source: str) -> None:
    """Refuse options that nothing reads, such as a variable that a config has already used."""
    if 'model' not in config:  # a benchmark, whose keys are others
        return
    known = {*inspect.signature(Runner.__init__).parameters, *_READ_BESIDE_THE_RUNNER} - {'self', 'cfg'}
    for key in options:
        first, _, rest = key.partition('.')
        second = rest.partition('.')[0]
        if first not in known:
            used = 'was used when the config was read' if first in config else 'is no option'
            raise InputError(f'{source} {key}: has no effect, since {first} {used}; {_instead(first, known)}')
        if second and second not in _PLAIN.get(first, (second,)):
            raise InputError(f'{source} {key}: has no effect; {first} has {", ".join(_PLAIN[first])}')


def _instead(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f'did you mean {near[0]}?' if near else 'give the key that holds it (tools/misc/print_config.py shows all)'


def check_sections(config: Config, path: str, needs: Iterable[str]) -> None:
    """Refuse a config that lacks the parts that a tool needs, or that cannot be written to a file.

    Args:
        config: The config.
        path: Its file, for the message.
        needs: Keys that have to be dicts, or lists of them.

    Raises:
        InputError: A key is missing or of another type, or a value is a function without a name.
    """
    for key in needs:
        if not isinstance(config.get(key), dict | list):
            raise InputError(
                f'{path}: {key} is {config.get(key)!r}, a dict is needed here; name a recipe that has it as _base_'
            )
    for key, value in _leaves(config._cfg_dict):
        if isinstance(value, FunctionType) and '<' in value.__qualname__:
            raise InputError(
                f'{path}: {key} is a function without a name of its own, which no run can write down; define it in a '
                'module of its own and name it'
            )


def _leaves(node: Any, above: str = '') -> Iterator[tuple[str, Any]]:
    entries = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list | tuple) else ()
    for name, value in entries:
        yield f'{above}{name}', value
        yield from _leaves(value, f'{above}{name}.')


_COUNT = 'an integer of at least 1', lambda value: _counts(value)
_FLAG = 'True or False', lambda value: isinstance(value, bool)
_FILE = 'a file, or None', lambda value: value is None or (isinstance(value, str) and value != '')
_PATH = 'a path; write a number as ./2024', lambda value: value is None or isinstance(value, str)
_AT_LEAST_0 = 'a number of at least 0', lambda value: _number(value) and 0 <= value < math.inf
_NOT_NEGATIVE = 'an integer of at least 0', lambda value: _whole(value) and value >= 0
# Keys that MMEngine and PyTorch read; classes of this project check their own arguments.
_VALUES: dict[str, tuple[str, Callable[[Any], bool]]] = {
    'train_cfg.max_epochs': _COUNT,
    'train_cfg.max_iters': _COUNT,
    'train_cfg.val_interval': _COUNT,
    '*_dataloader.batch_size': _COUNT,
    '*_dataloader.num_workers': _NOT_NEGATIVE,
    '*_dataloader.sampler.type': (
        'the name of a sampler, or its class',
        lambda value: isinstance(DATA_SAMPLERS.get(value) if isinstance(value, str) and value else value, type),
    ),
    'randomness.seed': (
        'an integer from 0 to 4294967295, or None for a random one',
        lambda value: value is None or (_whole(value) and 0 <= value < 2**32),
    ),
    'optim_wrapper.accumulative_counts': _COUNT,
    'log_level': (
        'one of DEBUG, INFO, WARNING, ERROR',
        lambda value: value in ('DEBUG', 'INFO', 'WARNING', 'ERROR', 'CRITICAL'),
    ),
    'param_scheduler.*.begin': _AT_LEAST_0,
    'param_scheduler.*.end': ('a number above 0', lambda value: _number(value) and value > 0),
    'optim_wrapper.clip_grad.max_norm': ('a number above 0', lambda value: _number(value) and value > 0),
    'model.*.loss_decode.loss_weight': _AT_LEAST_0,
    'optim_wrapper.optimizer.lr': ('a number above 0', lambda value: _number(value) and 0 < value < math.inf),
    'optim_wrapper.optimizer.weight_decay': _AT_LEAST_0,
    'auto_scale_lr.base_batch_size': _COUNT,
    'model.backbone.init_cfg': (
        'a dict with a type, a list of them, or None',
        lambda value: value is None or isinstance(value, dict | list),
    ),
    'model.backbone.init_cfg.checkpoint': _FILE,
    'model.backbone.init_cfg.prefix': (
        'the beginning of names, or None',
        lambda value: value is None or isinstance(value, str),
    ),
    'model.head.loss.determination.graded': _FLAG,
    'model.head.loss.gather': _FLAG,
    'model.data_preprocessor.size_divisor': (
        'an integer of at least 1, or None',
        lambda value: value is None or _counts(value),
    ),
    'default_hooks.checkpoint.max_keep_ckpts': (
        'an integer of at least 1, or -1 for all',
        lambda value: _counts(value) or value == -1,
    ),
    'default_hooks.checkpoint.interval': (
        'an integer of at least 1, or -1 for the last one alone',
        lambda value: _counts(value) or value == -1,
    ),
    '*_dataloader.dataset.evidence': (
        'a dict with a type, a list of them, or None',
        lambda value: (
            value is None
            or all(
                isinstance(step, dict) and 'type' in step for step in (value if isinstance(value, list) else [value])
            )
        ),
    ),
    '*_dataloader.dataset.evidence.file': _FILE,
    '*_dataloader.dataset.data_root': _PATH,
    'work_dir': _PATH,
    'load_from': _PATH,
    '*_dataloader.dataset.ann_file': (
        'a list of patches, or empty for all',
        lambda value: value is None or isinstance(value, str),
    ),
}


_TOGETHER = (
    ('train_dataloader', 'train_cfg', 'optim_wrapper'),
    ('val_dataloader', 'val_cfg', 'val_evaluator'),
    ('test_dataloader', 'test_cfg', 'test_evaluator'),
)


def check_values(config: Config) -> None:
    """Check the values of a config that no class of this project checks itself.

    Raises:
        InputError: A value is of another type or out of range.
    """
    for pattern, (expected, holds) in _VALUES.items():
        for key, value in _found(config._cfg_dict, pattern.split('.')):
            if not holds(value):
                raise InputError(f'{key} must be {expected}, got {value!r}')
    sizes = [
        size
        for kind in ('size', 'size_divisor')
        for size in _found(config._cfg_dict, ['model', 'data_preprocessor', kind])
    ]
    if len([size for _, size in sizes if size is not None]) > 1:
        raise InputError('model.data_preprocessor has both size and size_divisor; set one of them to None')
    for keys in _TOGETHER:
        given = [key for key in keys if config.get(key) is not None]
        if given and len(given) < len(keys):
            missing = next(key for key in keys if key not in given)
            raise InputError(f'{missing} is missing or None, and {given[0]} is given; give {", ".join(keys)} or none')


def _found(node: Any, parts: list[str], above: str = '') -> Iterator[tuple[str, Any]]:
    """Yield the keys that a pattern stands for, and their values."""
    entries = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for name, value in entries:
        if not fnmatch.fnmatchcase(str(name), parts[0]):
            continue
        if len(parts) == 1:
            yield f'{above}{name}', value
        else:
            yield from _found(value, parts[1:], f'{above}{name}.')


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _counts(value: object) -> bool:
    return _whole(value) and value >= 1  # type: ignore[operator]


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


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
    """Check that the packages that a config's visualizer needs are installed.

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


def first_line(error: BaseException) -> str:
    """Return the first line of an error's text, with the name of the error where the text alone says little."""
    lines = str(error).strip().splitlines() or ['']
    named = isinstance(error, LookupError | AttributeError | NameError | AssertionError | SystemExit) or not lines[0]
    return f'{type(error).__name__}: {lines[0]}' if named else lines[0]


def build_error(section: str, error: BaseException) -> InputError:
    """Turn an error from building a part of a config into one line for the user.

    Args:
        section: Key of the part, such as ``model``.
        error: What the classes of the part raised. Its traceback goes to the log at level DEBUG; if code of this
            project raised it, the line says where.
    """
    text = first_line(error).split('. Please check')[0]
    unknown = re.search(r"(\w+)(?:\.__init__)?\(\) got an unexpected keyword argument '(\w+)'", str(error))
    built = [frame.f_locals.get('obj_cls') for frame, _ in traceback.walk_tb(error.__traceback__)]
    kinds = [kind for kind in built if isinstance(kind, type)]
    unnamed = [
        frame.f_locals['self'].optimizer_cfg
        for frame, _ in traceback.walk_tb(error.__traceback__)
        if frame.f_locals.get('optimizer_cls', '') is None
    ]
    file, line = _raised_at(error)
    if unknown:
        accepted = {name for kind in kinds[-1:] for base in kind.__mro__ for name in _arguments(base)}
        near = difflib.get_close_matches(unknown[2], accepted, n=1)
        text = f'{kinds[-1].__name__ if kinds else unknown[1]} takes no {unknown[2]!r}'
        text += f', did you mean {near[0]!r}?' if near else ''
    elif unnamed:
        text = f'unknown optimizer {unnamed[0].get("type")}'
    elif kinds:
        text = f'{kinds[-1].__name__}: {text}'
    if file.is_relative_to(_PACKAGE) and not unknown:  # perhaps a fault of this project, not a wrong value
        text += f' ({file.relative_to(_PACKAGE.parents[1])}, line {line})'
    print_log(''.join(traceback.format_exception(error)), 'current', DEBUG)
    return InputError(f'{section} cannot be built: {text}; tools/misc/print_config.py shows the config to change')


def _raised_at(error: BaseException) -> tuple[Path, int | None]:
    """Return file and line of the original error: a registry replaces an error from a class by a new one."""
    while error.__cause__ or error.__context__:
        error = error.__cause__ or error.__context__ or error
    frames = traceback.extract_tb(error.__traceback__)
    return (Path(frames[-1].filename), frames[-1].lineno) if frames else (Path(), None)


def _arguments(kind: type) -> list[str]:
    try:
        parameters = inspect.signature(kind.__init__).parameters.values()  # type: ignore[misc]
    except (TypeError, ValueError):
        return []
    return [parameter.name for parameter in parameters if parameter.kind is not parameter.VAR_KEYWORD][1:]
