"""A checkpoint for a model: every tensor of it, and no other."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from projects.false.errors import InputError

from .matching import compare_keys, shapes_of


def exact_weights(loaded: Any, model: nn.Module, path: str) -> Mapping[str, Tensor]:
    """The weights of a checkpoint, which are those of this model.

    Args:
        loaded: What :func:`~projects.false.engine.checkpoints.files.read_checkpoint` gave.
        model: The model, not wrapped.
        path: Of the checkpoint, for messages.

    Returns:
        A state dict that the model takes.

    Raises:
        InputError: There are no weights, or they are those of another model.
    """
    state = loaded.get('state_dict') if isinstance(loaded, dict) else None
    if not isinstance(state, dict):
        raise InputError(f'{path}: holds no weights; give a checkpoint that tools/train.py wrote')
    report = compare_keys(shapes_of(state), shapes_of(model.state_dict()))
    wrong = [*report.missing, *report.unexpected, *(name for name, _, _ in report.reshaped)]
    if wrong:
        raise InputError(
            f'{path}: not a checkpoint of this model: {len(report.missing)} weights missing, {len(report.unexpected)} '
            f'unexpected, {len(report.reshaped)} of another shape (first: {wrong[0]}); give the config that it was '
            'trained with'
        )
    return state
