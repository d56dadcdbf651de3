"""Findings of the checks, the commands they recommend, and all of it on one screen."""

from __future__ import annotations

import os
import shlex
from typing import NamedTuple

from .facts import Facts
from .probe import DISTRIBUTIONS, MODULES


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


COLUMNS = ('package', 'version', 'from', 'import')


def rows(facts: Facts) -> list[tuple]:
    """Package, version, distributions that bring it, and whether its import worked."""
    table = [('python', '.'.join(map(str, facts.python)), facts.executable, 'ok')]
    for label, module in MODULES.items():
        outcome = facts.outcomes.get(label)
        providers = facts.providers.get(module.split('.')[0]) or [
            name for name in (DISTRIBUTIONS[label],) if name in facts.distributions
        ]
        version = str(outcome.value) if outcome is not None and outcome.ok else ''
        version = version or ', '.join(facts.distributions.get(name, '') for name in providers) or '-'
        state = 'not tried' if outcome is None else 'ok' if outcome.ok else 'fails' if providers else 'missing'
        table.append((label, version, ', '.join(providers) or '-', state))
    return table


def show(facts: Facts, findings: list[Finding]) -> None:
    """Print the table and the findings; with rich if it is there."""
    try:
        from rich.console import Console
        from rich.markup import escape
        from rich.table import Table
    except Exception:  # broken counts as absent here
        _show_plain(rows(facts))
    else:
        table = Table(*COLUMNS)
        for row in rows(facts):
            table.add_row(*map(escape, row), style=None if row[-1] == 'ok' else 'red')
        Console().print(table)
    for finding in findings:
        # plain print: a command that is wrapped or coloured cannot be copied
        print(f'{finding.level}: {" ".join(finding.what.split())[:400]}')
        if finding.remedy:
            print(f'    {finding.remedy}')
    errors = sum(finding.level == 'error' for finding in findings)
    print(f'{errors} to mend before training can work' if errors else 'ready to train')


def _show_plain(table: list[tuple]) -> None:
    lines = [COLUMNS, *table]
    widths = [max(len(line[column]) for line in lines) for column in range(len(COLUMNS))]
    for line in lines:
        print('  '.join(line[column].ljust(width) for column, width in enumerate(widths)).rstrip())
