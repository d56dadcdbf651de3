"""Save training checkpoints of tensors and plain Python values only."""

import logging
from typing import Any

import numpy as np
import torch
from mmengine.hooks import Hook
from mmengine.logging import HistoryBuffer, print_log
from mmengine.registry import HOOKS

_PLAIN = (type(None), bool, int, float, complex, str, bytes, torch.Tensor, torch.dtype, torch.device, torch.Size)
_DROPPED = object()
_ARRAY = 'numpy array'


def to_plain(value: Any, name: str = '') -> Any:
    """Rebuild a value from types that ``torch.load(weights_only=True)`` accepts.

    NumPy numbers become Python numbers, NumPy arrays become ``{'numpy array': tensor}``, and subclasses of dict, int,
    float and str become their base class. Any other value is left out of its dictionary, with a warning.

    Args:
        value: Any nesting of dictionaries, lists, tuples and sets.
        name: Path of the value in the checkpoint, for the warning.

    Returns:
        The value in plain types.
    """
    if type(value) in _PLAIN or isinstance(value, torch.Tensor):
        return value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        try:
            return {_ARRAY: torch.tensor(value)}
        except (TypeError, ValueError):  # PyTorch has no arrays of text, dates or objects: convert their elements
            return to_plain(value.tolist(), name)
    if isinstance(value, dict):
        plain = {to_plain(key, name): to_plain(item, f'{name}.{key}') for key, item in value.items()}
        return {key: item for key, item in plain.items() if key is not _DROPPED and item is not _DROPPED}
    if isinstance(value, (list, tuple, set)):
        items = [None if item is _DROPPED else item for item in (to_plain(item, f'{name}[]') for item in value)]
        return next(kind for kind in (list, tuple, set) if isinstance(value, kind))(items)
    for kind in (int, float, str):
        if isinstance(value, kind):
            return kind(value)
    print_log(f'{name} is not saved: {type(value).__name__} is not a plain type', 'current', logging.WARNING)
    return _DROPPED


def from_plain(value: Any) -> Any:
    """Restore the NumPy arrays that :func:`to_plain` packed."""
    if isinstance(value, dict):
        if set(value) == {_ARRAY}:
            return value[_ARRAY].cpu().numpy()
        return {key: from_plain(item) for key, item in value.items()}
    if type(value) in (list, tuple):
        return type(value)(from_plain(item) for item in value)
    return value


def pack_log(message_hub: dict) -> tuple[dict, dict]:
    """Split the state of MMEngine's message hub into a plain hub without histories and the histories as tensors."""
    hub = {
        'log_scalars': {},
        'runtime_info': to_plain(message_hub['runtime_info'], 'message_hub'),
        'resumed_keys': {},
    }
    keys = dict(message_hub['resumed_keys'])
    # A runner without this hook warns of every resumed key that is missing in the hub.
    hub['resumed_keys'] = {key: keep for key, keep in keys.items() if key in hub['runtime_info']}
    histories = {
        name: {
            'values': torch.tensor(history.data[0]),
            'counts': torch.tensor(history.data[1]),
            'max_length': history.max_length,
            'resumed': keys.get(name, True),
        }
        for name, history in message_hub['log_scalars'].items()
    }
    return hub, histories


def unpack_log(hub: dict, histories: dict) -> dict:
    """Undo :func:`pack_log`."""
    restored = {
        name: HistoryBuffer(part['values'].cpu().numpy(), part['counts'].cpu().numpy(), part['max_length'])
        for name, part in histories.items()
    }
    return {
        'log_scalars': {**hub['log_scalars'], **restored},
        'runtime_info': from_plain(hub['runtime_info']),
        'resumed_keys': {**hub['resumed_keys'], **{name: part['resumed'] for name, part in histories.items()}},
    }


@HOOKS.register_module()
class PlainCheckpointHook(Hook):
    """Save checkpoints that load with ``torch.load(weights_only=True)`` and no allowlist, and resume them completely.

    The histories of the log move from ``message_hub`` to ``log_history``. A runner without this hook can also resume
    such a checkpoint; only the smoothed values in its log start afresh.

    Example:
        >>> custom_hooks = [dict(type='PlainCheckpointHook')]
    """

    priority = 'LOWEST'  # after every hook that adds to the checkpoint

    def before_save_checkpoint(self, runner, checkpoint: dict) -> None:
        """Replace everything but the weights by plain values; weights are tensors and keep their type of dict."""
        hub, histories = pack_log(checkpoint['message_hub'])
        others = {key: value for key, value in checkpoint.items() if key not in ('state_dict', 'message_hub')}
        checkpoint.update(to_plain(others, 'checkpoint'), message_hub=hub, log_history=histories)
        for key in others.keys() - checkpoint.keys():
            del checkpoint[key]

    def after_load_checkpoint(self, runner, checkpoint: dict) -> None:
        """Restore MMEngine's own types; checkpoints written without this hook stay as they are."""
        if 'log_history' in checkpoint:
            checkpoint['message_hub'] = unpack_log(checkpoint['message_hub'], checkpoint.pop('log_history'))
            checkpoint['meta'] = from_plain(checkpoint['meta'])
