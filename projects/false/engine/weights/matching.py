"""Which weights of a file a network takes, which it lacks and which are left over."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

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
