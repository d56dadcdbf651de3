"""Requirement lines and version order, for an environment that has no ``packaging``."""

from __future__ import annotations

import re
from typing import NamedTuple


class Requirement(NamedTuple):
    """One line of a requirements file.

    Args:
        name: Normalised name of the distribution.
        bounds: Pairs of operator and version, such as ``('>=', '2.6')``.
    """

    name: str
    bounds: tuple


def normalise(name: str) -> str:
    """The name under which the package index knows a distribution: ``Foo_Bar`` -> ``foo-bar``."""
    return re.sub(r'[-_.]+', '-', name).lower()


def parse_requirements(text: str) -> list[Requirement]:
    """Read the lines of a requirements file: names with bounds, comments; environment markers are left aside."""
    requirements = []
    for line in text.splitlines():
        line = re.split(r'[#;]', line)[0]
        match = re.match(r'\s*([A-Za-z0-9][\w.-]*)(.*)', line)
        if match:
            bounds = tuple(re.findall(r'(==|!=|>=|<=|>|<)\s*([\w.+!]+)', match.group(2)))
            requirements.append(Requirement(normalise(match.group(1)), bounds))
    return requirements


def version_key(version: str) -> tuple:
    """Order of versions: numbers by value, pre-releases before their release, local parts (``+cpu``) ignored.

    Raises:
        ValueError: The text does not start with a number.
    """
    match = re.match(r'v?(\d+(?:\.\d+)*)(.*)', version.split('+')[0].strip())
    if match is None:
        raise ValueError(f'version is {version!r}; it should start with a number')
    numbers = [int(number) for number in match.group(1).split('.')]
    while numbers and numbers[-1] == 0:
        numbers.pop()
    early = re.match(r'[-_.]?(a|b|c|rc|alpha|beta|pre|dev)', match.group(2)) is not None
    return (tuple(numbers), not early)


def broken_bounds(version: str, bounds: tuple) -> list[str]:
    """The bounds that a version does not keep, as text such as ``'>=2.6'``."""
    found = version_key(version)
    keeps = {
        '==': lambda limit: found == limit,
        '!=': lambda limit: found != limit,
        '>=': lambda limit: found >= limit,
        '<=': lambda limit: found <= limit,
        '>': lambda limit: found > limit,
        '<': lambda limit: found < limit,
    }
    return [operator + limit for operator, limit in bounds if not keeps[operator](version_key(limit))]
