"""What a check says, and how it writes commands."""

from __future__ import annotations

import os
import shlex
from typing import NamedTuple

from .facts import Facts


class Finding(NamedTuple):
    """One thing to know.

    Args:
        level: ``'error'``: training will fail; ``'warning'``: it may, or will be slow; ``'info'``.
        what: What was found.
        remedy: The command or setting that mends it.
    """

    level: str
    what: str
    remedy: str = ''


def pip(facts: Facts, arguments: str) -> str:
    """A pip command for the Python that was looked at."""
    return f'{shlex.quote(facts.executable)} -m pip {arguments}'


def install(facts: Facts, names: str = '-r requirements.txt') -> str:
    """The command that installs distributions in their tested versions, from any folder."""
    at_root = os.path.realpath(facts.root) == os.path.realpath(os.getcwd())
    folder = '' if at_root else facts.root
    requirements, constraints = (
        shlex.quote(os.path.join(folder, f'{name}.txt')) for name in ('requirements', 'constraints')
    )
    return pip(facts, f'install {names.replace("requirements.txt", requirements)} -c {constraints}')


def reinstall(facts: Facts, remove: list[str], names: str = '-r requirements.txt') -> str:
    """Uninstall, then install in the tested versions."""
    return f'{pip(facts, "uninstall -y " + " ".join(remove))} && {install(facts, names)}'
