"""The exception for errors that the user can mend, a collector of several, range checks, and the names of types."""

import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from numbers import Real
from typing import Any


class InputError(ValueError):
    """Bad input from the user: a file, a config value or a command line argument.

    The message is one line that names the place (path, argument, value) and the way out. Command line tools print it
    without a traceback and exit with status 2; library users catch it as a :class:`ValueError`.

    The constructor takes a single string, because MMEngine's registries and PyTorch's data loader workers re-raise an
    exception as ``type(error)(text)``.
    """


_EXAMPLES = 3  # what a message names of many files


def some(names: Iterable[object], between: str = ', ') -> str:
    """List the first three names for a message, and count the others.

    Example:
        >>> some('abcde')
        'a, b, c and 2 more'
    """
    shown = [str(name) for name in names]
    more = len(shown) - _EXAMPLES
    return between.join(shown[:_EXAMPLES]) + (f' and {more:,} more' if more > 0 else '')


class Faults:
    """Collects what is wrong with many files, and raises it as one error: a count, three examples, and the way out.

    Args:
        kind: What is looked at, in the plural: ``'images'``.

    Example:
        >>> faults = Faults('images')
        >>> for name in 'abc':
        ...     with faults.noted():
        ...         check_count(f'size of {name}', 0)
        >>> faults.check(of=9)  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        projects.false.common.errors.InputError: 3 of 9 images are unusable: size of a must be ... | size of b ...
    """

    def __init__(self, kind: str) -> None:
        self.kind, self._looked_at, self._texts = kind, 0, dict[str, None]()

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Look at one file inside the block; an :class:`InputError` there is kept for later."""
        self._looked_at += 1
        try:
            yield
        except InputError as error:
            self.add(error)

    def add(self, error: InputError) -> None:
        """Keep an error; equal texts are one fault."""
        self._texts[str(error)] = None

    def check(self, of: int | None = None) -> None:
        """Raise what was collected, if anything was.

        Args:
            of: Number of files that were looked at; None takes the number of :meth:`noted` blocks.

        Raises:
            InputError: The error itself if there is one; else a summary, in which the way out of the examples (the text
                after the first semicolon) appears once.
        """
        texts = list(self._texts)
        if len(texts) == 1:
            raise InputError(texts[0])
        if texts:
            faults, _, ways_out = zip(*(text.partition('; ') for text in texts), strict=True)
            shown, more = ' | '.join(faults[:_EXAMPLES]), len(texts) - _EXAMPLES
            shown += f' | and {more:,} more' if more > 0 else ''
            alike = len(set(ways_out[:_EXAMPLES])) == 1
            way_out = f'; {"" if alike else "for the first: "}{ways_out[0]}' if ways_out[0] else ''
            total = self._looked_at if of is None else of
            raise InputError(f'{len(texts):,} of {total:,} {self.kind} are unusable: {shown}{way_out}')


def is_number(value: object) -> bool:
    """Return True for a number that is not a bool."""
    return isinstance(value, Real) and not isinstance(value, bool)


def check_temperature(owner: str, temperature: float) -> None:
    """Refuse a temperature that is not a positive finite number."""
    if not is_number(temperature) or not 0 < temperature < math.inf:
        raise InputError(f'temperature of {owner} must be a positive number, got {temperature!r}')


def check_range(name: str, value: float, low: float, high: float) -> None:
    """Refuse a value that is not a number in [low, high]."""
    if not is_number(value) or not low <= value <= high:
        raise InputError(f'{name} must be in [{low}, {high}], got {value!r}')


def check_pair(name: str, values: Sequence[float], high: float) -> None:
    """Refuse values other than a pair of numbers with 0 < low <= high."""
    numbers = list(values) if isinstance(values, list | tuple) else []
    if len(numbers) != 2 or not all(is_number(value) for value in numbers) or not 0 < numbers[0] <= numbers[1] <= high:
        bound = '' if high == math.inf else f' <= {high}'
        raise InputError(f'{name} must be two numbers with 0 < low <= high{bound}, got {values!r}')


def check_count(name: str, value: int) -> None:
    """Refuse a value that is not an integer of at least 1."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise InputError(f'{name} must be an integer of at least 1, got {value!r}')


def check_seed(seed: int) -> None:
    """Refuse a seed below 0."""
    if seed < 0:
        raise InputError(f'seed is {seed}; give 0 or more')


def type_name(kind: Any) -> str:
    """Return the name of the class that ``type`` in a config names, by itself or by its name with or without a scope.

    Args:
        kind: The value of ``type``, such as ``LoggerHook``, ``'LoggerHook'`` or ``'mmengine.LoggerHook'``.

    Returns:
        The name alone, ``'LoggerHook'``; empty if there is none.
    """
    name = kind if isinstance(kind, str) else getattr(kind, '__name__', '')
    return str(name).rpartition('.')[2]
