"""One screen: what is installed, what is wrong, and what to do."""

from __future__ import annotations

from .facts import Facts
from .findings import Finding
from .probe import DISTRIBUTIONS, MODULES

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
