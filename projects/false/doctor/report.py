"""Show the environment and its problems on one screen."""

from __future__ import annotations

from .checks import Problem
from .facts import Facts
from .probe import DISTRIBUTIONS, MODULES

COLUMNS = ('package', 'version', 'from', 'import')


def show(facts: Facts, problems: list[Problem]) -> None:
    """Print the table of packages, the problems and the verdict; the table with rich if it is installed."""
    table = rows(facts)
    try:
        from rich.console import Console
        from rich.markup import escape
        from rich.table import Table
    except Exception:  # a broken rich counts as absent
        _print_plain(table)
    else:
        styled = Table(*COLUMNS)
        for row in table:
            styled.add_row(*map(escape, row), style=None if row[-1] == 'ok' else 'red')
        Console().print(styled)
    for problem in problems:
        # Plain print: a command that is wrapped or coloured cannot be copied.
        print(f'{problem.level}: {" ".join(problem.what.split())[:400]}')
        if problem.remedy:
            print(f'    {problem.remedy}')
    errors = sum(problem.level == 'error' for problem in problems)
    print(f'{errors} to fix before training can work' if errors else 'ready to train')


def rows(facts: Facts) -> list[tuple]:
    """Return label, version, distributions that provide it, and state of the import, per package."""
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


def _print_plain(table: list[tuple]) -> None:
    lines = [COLUMNS, *table]
    widths = [max(len(line[column]) for line in lines) for column in range(len(COLUMNS))]
    for line in lines:
        print('  '.join(line[column].ljust(width) for column, width in enumerate(widths)).rstrip())
