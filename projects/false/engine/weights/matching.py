"""Compare the weights of a file with those of a model: matched, missing, left over."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from projects.false.common.errors import InputError

_COUNTER = 'num_batches_tracked'


@dataclass(frozen=True)
class KeyReport:
    """The names of a file compared with those of a network.

    Attributes:
        matched: In both, with the same shape.
        missing: The network has them, the file does not.
        unexpected: The file has them, the network does not.
        reshaped: In both, with different shapes: (name, shape in the file, shape in the network).
    """

    matched: tuple[str, ...]
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    reshaped: tuple[tuple[str, tuple[int, ...], tuple[int, ...]], ...]

    def needed(self) -> list[str]:
        """Missing weights that cannot be done without: counters of batches only matter to a training that goes on."""
        return [name for name in self.missing if not name.endswith(_COUNTER)]

    def surplus(self) -> list[str]:
        """Unexpected weights that are no such counters."""
        return [name for name in self.unexpected if not name.endswith(_COUNTER)]

    def text(self) -> str:
        """One line: numbers, and what is left out by the first part of its name."""
        left = Counter(name.split('.')[0] for name in self.unexpected)
        dropped = f' (left out: {", ".join(f"{part} {count}" for part, count in left.items())})' if left else ''
        lacking = f' ({", ".join(self.missing[:3])}{", ..." if len(self.missing) > 3 else ""})' if self.missing else ''
        numbers = (len(self.matched), len(self.missing), len(self.unexpected))
        return '{} matched, {} missing{}, {} unexpected{}'.format(*numbers[:2], lacking, numbers[2], dropped)


def shapes_of(state: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """Shapes by name of the tensors of a state dict."""
    return {name: tuple(value.shape) for name, value in state.items() if isinstance(value, Tensor)}


def compare_keys(
    given: Mapping[str, tuple[int, ...]], expected: Mapping[str, tuple[int, ...]], others: Iterable[str] = ()
) -> KeyReport:
    """Compare shapes by name.

    Args:
        given: Of the file.
        expected: Of the network.
        others: Further names of the file, which the network cannot have.
    """
    both = [name for name in expected if name in given]
    return KeyReport(
        matched=tuple(name for name in both if given[name] == expected[name]),
        missing=tuple(name for name in expected if name not in given),
        unexpected=(*(name for name in given if name not in expected), *others),
        reshaped=tuple((name, given[name], expected[name]) for name in both if given[name] != expected[name]),
    )


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
