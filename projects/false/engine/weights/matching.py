"""Compare the weights of a file with those of a model: matched, missing, unexpected or reshaped."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from projects.false.common.errors import InputError

from ..checkpoints.safe_hook import not_finite

_COUNTER = 'num_batches_tracked'


@dataclass(frozen=True)
class KeyReport:
    """The weights of a file compared with those of a network, by name and shape.

    Attributes:
        matched: Names in both, with the same shape.
        missing: Names in the network only.
        unexpected: Names in the file only.
        reshaped: Names in both, with different shapes: (name, shape in the file, shape in the network).
    """

    matched: tuple[str, ...]
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    reshaped: tuple[tuple[str, tuple[int, ...], tuple[int, ...]], ...]

    def needed(self) -> list[str]:
        """List the missing weights that are required: all but the batch counters, which only resumed training uses."""
        return [name for name in self.missing if not name.endswith(_COUNTER)]

    def surplus(self) -> list[str]:
        """List the unexpected weights without the batch counters."""
        return [name for name in self.unexpected if not name.endswith(_COUNTER)]

    def text(self) -> str:
        """Summarise the comparison in one line; unexpected weights are counted by the first part of their name."""
        parts = Counter(name.split('.')[0] for name in self.unexpected)
        left_out = f' (left out: {", ".join(f"{part} {count}" for part, count in parts.items())})' if parts else ''
        lacking = f' ({", ".join(self.missing[:3])}{", ..." if len(self.missing) > 3 else ""})' if self.missing else ''
        return (
            f'{len(self.matched)} matched, {len(self.missing)} missing{lacking}, '
            f'{len(self.unexpected)} unexpected{left_out}'
        )


def shapes_of(state: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """Return the shapes of the tensors in a state dict, by name."""
    return {name: tuple(value.shape) for name, value in state.items() if isinstance(value, Tensor)}


def compare_keys(
    given: Mapping[str, tuple[int, ...]], expected: Mapping[str, tuple[int, ...]], others: Iterable[str] = ()
) -> KeyReport:
    """Compare names and shapes.

    Args:
        given: Shapes in the file, by name.
        expected: Shapes in the network, by name.
        others: Further names in the file, all of them unexpected.
    """
    both = [name for name in expected if name in given]
    return KeyReport(
        matched=tuple(name for name in both if given[name] == expected[name]),
        missing=tuple(name for name in expected if name not in given),
        unexpected=(*(name for name in given if name not in expected), *others),
        reshaped=tuple((name, given[name], expected[name]) for name in both if given[name] != expected[name]),
    )


def weights_digest(state: Mapping[str, Tensor]) -> str:
    """Return 16 hexadecimal digits that differ between weights that differ, whatever file they come from."""
    digest = hashlib.sha256()
    for name in sorted(name for name in state if not name.endswith(_COUNTER)):
        value = state[name].detach().cpu().float().contiguous()
        digest.update(f'{name} {tuple(value.shape)}'.encode())
        digest.update(value.numpy().tobytes())
    return digest.hexdigest()[:16]


def check_finite(state: Mapping[str, Any], path: str) -> None:
    """Refuse weights of which one is NaN or infinite.

    Raises:
        InputError: At least one is not finite.
    """
    broken = not_finite(state)
    if broken:
        raise InputError(
            f'{path}: {len(broken)} of its weights are NaN or infinite, the first is {broken[0]}; give an earlier '
            'checkpoint of that training'
        )


def check_some_fit(loaded: Any, model: nn.Module, path: str) -> None:
    """Refuse a checkpoint of which no weight fits the backbone of a model, or the model if it has no backbone.

    MMEngine loads what fits and leaves the rest random, even where that is everything.

    Raises:
        InputError: No name and shape are those of the model.
    """
    state = loaded.get('state_dict', loaded) if isinstance(loaded, dict) else None
    given = {str(name).removeprefix('module.'): shape for name, shape in shapes_of(state or {}).items()}
    expected = shapes_of(model.state_dict())
    wanted = {name: shape for name, shape in expected.items() if name.startswith('backbone.')} or expected
    if not any(given.get(name) == shape for name, shape in wanted.items()):
        raise InputError(
            f'{path}: none of its weights fits the backbone of the model, which would stay random; give a backbone.pth '
            'with model.backbone.init_cfg.type=PretrainedBackbone model.backbone.init_cfg.checkpoint=FILE in place of '
            'load_from'
        )


def exact_weights(loaded: Any, model: nn.Module, path: str) -> Mapping[str, Tensor]:
    """Return the weights of a checkpoint after checking that they are exactly those of a model.

    Args:
        loaded: The checkpoint, as :func:`~projects.false.engine.checkpoints.files.read_checkpoint` returns it.
        model: The model, not wrapped.
        path: File of the checkpoint, for messages.

    Returns:
        A state dict that fits the model.

    Raises:
        InputError: There are no weights, they belong to another model, or are not finite.
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
    check_finite(state, path)
    return state
