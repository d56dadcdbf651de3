"""The audit in a terminal."""

from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from .audit import PairAudit
from .truth import CRITERIA


def print_summary(audit: PairAudit, rows: list[dict[str, Any]]) -> None:
    """Print precision and lift of every determination after every checkpoint, before the gate."""
    console = Console(width=160)
    for criterion in CRITERIA:
        chosen = [row for row in rows if row['criterion'] == criterion and not row['after_gate']]
        base = next((row['base_rate'] for row in chosen), None)
        title = f'{criterion}: precision and lift before the gate'
        if base is not None:
            title += f'; {base:.1%} of all pairs share their land cover'
        console.print(title, highlight=False)
        table = Table(box=SIMPLE_HEAD)
        table.add_column('determination', no_wrap=True)
        for stage in audit.stages:
            table.add_column(stage.name, justify='right')
        for name in dict.fromkeys(row['determination'] for row in chosen):
            cells = []
            for stage in audit.stages:
                row = next(r for r in chosen if (r['determination'], r['checkpoint']) == (name, stage.path))
                cells.append('-' if row['lift'] is None else f'{row["precision"]:.1%} x{row["lift"]:.2f}')
            table.add_row(name, *cells)
        console.print(table, highlight=False)
