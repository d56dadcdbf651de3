"""The exception that means "the user can mend this", the range checks that raise it, and how a type is named."""

import math
from collections.abc import Sequence
from numbers import Real
from typing import Any


class InputError(ValueError):
    """Bad input from the user: a file, a config value or a command line argument.

    The message is one line that names the place (path, argument, value) and the way out. Command line tools print it
    without a traceback and exit with status 2; library users catch it as a :class:`ValueError`.

    The constructor takes a single string, because MMEngine's registries and PyTorch's data loader workers re-raise an
    exception as ``type(error)(text)``.
    """


def is_number(value: object) -> bool:
    """Return True for a number that is no truth value."""
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
    """Refuse what is not a pair of numbers with 0 < low <= high."""
    numbers = list(values) if isinstance(values, list | tuple) else []
    if len(numbers) != 2 or not all(is_number(value) for value in numbers) or not 0 < numbers[0] <= numbers[1] <= high:
        bound = '' if high == math.inf else f' <= {high}'
        raise InputError(f'{name} must be two numbers with 0 < low <= high{bound}, got {values!r}')


def check_count(name: str, value: int) -> None:
    """Refuse a value that is not an integer of at least 1."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise InputError(f'{name} must be an integer of at least 1, got {value!r}')


def type_name(kind: Any) -> str:
    """Return the name of what ``type`` in a config stands for: a class, or its name with or without a scope.

    Args:
        kind: The value of ``type``, such as ``LoggerHook``, ``'LoggerHook'`` or ``'mmengine.LoggerHook'``.

    Returns:
        The name alone, ``'LoggerHook'``; empty if there is none.
    """
    name = kind if isinstance(kind, str) else getattr(kind, '__name__', '')
    return str(name).rpartition('.')[2]
