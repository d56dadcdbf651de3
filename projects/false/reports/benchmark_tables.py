"""The table of a benchmark as Markdown, CSV and JSON. Nothing in it depends on when or how fast it was made."""

import csv
import io
import json
import math
from collections.abc import Sequence

from projects.false.experiments.benchmark.summary import HEADLINE, Comparison, MethodSummary

from .runs import MEANS


def markdown_table(comparisons: Sequence[Comparison], baseline: str) -> str:
    """One table for every protocol and fraction, and what its columns mean."""
    parts = []
    for comparison in comparisons:
        head = ['method', HEADLINE, 'sd draws', 'sd seeds', f'{HEADLINE} − {baseline}', *MEANS[1:], 'runs']
        lines = [f'**{comparison.heading}**', '', f'| {" | ".join(head)} |', f'|{" --- |" * len(head)}']
        for row in comparison.rows:
            others = [_number(row.means[key]) for key in MEANS[1:]]
            cells = [row.method, _number(row.means[HEADLINE]), _number(row.draw_spread), _number(row.seed_spread)]
            cells += [difference_text(row), *others, f'{row.runs} of {row.planned}']
            lines.append(f'| {" | ".join(cells)} |')
        parts.append('\n'.join(lines))
    return '\n\n'.join([*parts, coverage_note(comparisons, baseline)]) + '\n'


def difference_text(row: MethodSummary) -> str:
    """Such as ``+1.2 [+0.3, +2.1]``; empty for the baseline and while runs are missing."""
    if row.difference is None:
        return ''
    text = _signed(row.difference.mean)
    if row.difference.low is not None:
        text += f' [{_signed(row.difference.low)}, {_signed(row.difference.high)}]'
    return text


def coverage_note(comparisons: Sequence[Comparison], baseline: str) -> str:
    """What the differences and their intervals mean, and what they cannot cover; plain text."""
    found = [row.difference for comparison in comparisons for row in comparison.rows if row.difference is not None]
    if not found:
        return f'No difference to {baseline} yet: no other method has all its runs.'
    text = f'Differences to {baseline} are paired on the label draw, in points of {HEADLINE}. '
    covers = found[0].covers
    if found[0].low is None:
        return text + 'With one pretraining seed and one label draw nothing tells chance apart: there is no interval.'
    text += f'In brackets the {100 * found[0].level:g} % confidence interval, for one comparison at a time. '
    return text + {
        (
            'label draws',
        ): 'It covers the choice of labelled patches alone: how other pretraining seeds would do, it cannot tell.',
        ('pretraining seeds',): 'It covers pretraining alone: how other labelled patches would do, it cannot tell.',
    }.get(covers, 'It covers pretraining seeds and label draws, not other imagery, networks or lengths of training.')


def csv_table(comparisons: Sequence[Comparison]) -> str:
    """Every number with four decimals, a line for every method under every protocol and fraction."""
    entries = _entries(comparisons)
    names = list(dict.fromkeys(name for entry in entries for name in entry))
    text = io.StringIO()
    writer = csv.DictWriter(text, names, restval='', lineterminator='\n')
    writer.writeheader()
    writer.writerows({name: '' if value is None else value for name, value in entry.items()} for entry in entries)
    return text.getvalue()


def json_table(comparisons: Sequence[Comparison], baseline: str) -> str:
    """The same with the summed confusion matrices."""
    matrices = [row.matrix.tolist() for comparison in comparisons for row in comparison.rows]
    entries = [
        entry | {'confusion_matrix': matrix} for entry, matrix in zip(_entries(comparisons), matrices, strict=True)
    ]
    return json.dumps({'baseline': baseline, 'rows': entries}, indent=1, allow_nan=False) + '\n'


def _entries(comparisons: Sequence[Comparison]) -> list[dict]:
    entries = []
    for comparison in comparisons:
        for row in comparison.rows:
            entry = {'protocol': comparison.protocol, 'fraction': comparison.fraction}
            entry |= {'labelled_patches': comparison.labelled, 'method': row.method, 'runs': row.runs}
            entry |= {'planned': row.planned} | {name: _plain(value) for name, value in row.means.items()}
            entry |= {'sd_draws': _plain(row.draw_spread), 'sd_seeds': _plain(row.seed_spread)}
            found = row.difference
            entry |= {'difference': found and _plain(found.mean), 'low': found and _plain(found.low)}
            entry |= {'high': found and _plain(found.high), 'degrees': found and _plain(found.degrees)}
            entry |= {'covers': found and ' and '.join(found.covers)}
            entries.append(entry)
    return entries


def _plain(value: float | None) -> float | None:
    return None if value is None or math.isnan(value) else round(value, 4)


def _signed(value: float) -> str:
    return f'{value:+.2f}'.replace('-', '\N{MINUS SIGN}')


def _number(value: float | None) -> str:
    return '–' if value is None or math.isnan(value) else f'{value:.2f}'
