"""Summarise the runs of a benchmark per method, and write the summary as Markdown, CSV and JSON.

Equal results give equal tables, which hold neither dates nor durations.
"""

import csv
import io
import json
import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from projects.false.reports.score_tables import MEANS

from .paired_difference import Difference, paired_difference

HEADLINE = 'mIoU'
ENOUGH_DRAWS = 5  # with fewer, intervals cover less than they say; see paired_difference


@dataclass(frozen=True)
class MethodSummary:
    """The results of one method under one protocol with one share of labels.

    Attributes:
        method: Name of the method.
        runs: Number of finished runs.
        planned: Number of planned runs.
        means: Mean of every score over the finished runs, in percent; NaN where no run has it.
        draw_spread: Standard deviation of the mIoU over label draws, after averaging over seeds, in points; None with
            one draw or while runs are missing.
        seed_spread: The same over pretraining seeds, after averaging over draws.
        difference: Its mIoU minus that of the baseline; None for the baseline and while runs of either are
            missing.
        matrix: Sum of the confusion matrices, (C, C).
    """

    method: str
    runs: int
    planned: int
    means: dict[str, float]
    draw_spread: float | None
    seed_spread: float | None
    difference: Difference | None
    matrix: np.ndarray

    def iou(self, label: str) -> float:
        """Return the mean IoU of a class in percent; NaN where no run has it."""
        return self.means.get(f'IoU.{label}', float('nan'))


@dataclass(frozen=True)
class MethodComparison:
    """All methods under one protocol with one share of labels.

    Attributes:
        protocol: Name of the protocol.
        fraction: Share of the training patches that are labelled.
        labelled: Number of labelled patches.
        rows: Summary of every method that has a finished run, in the order of the benchmark.
    """

    protocol: str
    fraction: float
    labelled: int
    rows: list[MethodSummary]

    @property
    def heading(self) -> str:
        """Heading of its table."""
        return f'{self.protocol}, {100 * self.fraction:g} % of the labels ({self.labelled} patches)'


def compare_methods(
    results: Sequence[dict],
    methods: Sequence[str],
    baseline: str,
    seeds: Sequence[int],
    draws: Sequence[int],
    unpaired: Collection[str] = (),
) -> list[MethodComparison]:
    """Summarise the finished runs of every method and compare each method with the baseline.

    Args:
        results: Lines of ``results.jsonl`` for one part of the data, each run once.
        methods: Names of the methods, in their order.
        baseline: One of the methods.
        seeds: Pretraining seeds of the benchmark.
        draws: Label draws of the benchmark.
        unpaired: Methods that have other labelled patches than the baseline.

    Returns:
        One comparison per protocol and fraction with a finished run, in the order of the results.
    """
    groups: dict[tuple[str, float], dict[str, list[dict]]] = {}
    for result in results:
        run = result['run']
        groups.setdefault((run['protocol'], run['fraction']), {}).setdefault(run['method'], []).append(result)
    comparisons = []
    for (protocol, fraction), by_method in groups.items():
        base = _grid(by_method.get(baseline, []), seeds, draws)
        rows = [
            _summary(
                method, by_method[method], None if method == baseline else base, seeds, draws, method not in unpaired
            )
            for method in methods
            if method in by_method
        ]
        labelled = next(iter(by_method.values()))[0]['labelled_patches']
        comparisons.append(MethodComparison(protocol, fraction, labelled, rows))
    return comparisons


def _summary(
    method: str,
    results: Sequence[dict],
    base: np.ndarray | None,
    seeds: Sequence[int],
    draws: Sequence[int],
    paired: bool,
) -> MethodSummary:
    grid = _grid(results, seeds, draws)
    return MethodSummary(
        method=method,
        runs=len(results),
        planned=len(seeds) * len(draws),
        means={name: _mean([result['scores'].get(name) for result in results]) for name in results[0]['scores']},
        draw_spread=float(grid.mean(0).std(ddof=1)) if grid is not None and len(draws) > 1 else None,
        seed_spread=float(grid.mean(1).std(ddof=1)) if grid is not None and len(seeds) > 1 else None,
        difference=None if grid is None or base is None else paired_difference(grid, base, paired=paired),
        matrix=np.sum([result['confusion_matrix'] for result in results], axis=0),
    )


def _grid(results: Sequence[dict], seeds: Sequence[int], draws: Sequence[int]) -> np.ndarray | None:
    """Arrange the mIoU by seed (row) and draw (column); None while a run is missing."""
    found = {(result['run']['seed'], result['run']['draw']): result['scores'][HEADLINE] for result in results}
    if len(found) < len(seeds) * len(draws):
        return None
    return np.array([[found[seed, draw] for draw in draws] for seed in seeds], float)


def _mean(values: Sequence[float | None]) -> float:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else float('nan')


def markdown_table(comparisons: Sequence[MethodComparison], baseline: str) -> str:
    """Format one table per protocol and fraction, with a note on the differences."""
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
    """Format a difference, such as ``+1.20 [+0.30, +2.10]``; empty for the baseline and while runs are missing."""
    found = row.difference
    if found is None:
        return ''
    text = _signed(found.mean)
    if found.low is not None and found.high is not None:
        text += f' [{_signed(found.low)}, {_signed(found.high)}]'
    return text


def coverage_note(comparisons: Sequence[MethodComparison], baseline: str) -> str:
    """Explain the differences and what their intervals cover, as plain text."""
    rows = [row for comparison in comparisons for row in comparison.rows]
    found = [row.difference for row in rows if row.difference is not None]
    if not found:
        return f'No difference from {baseline} yet: no other method has all its runs.'
    apart = list(dict.fromkeys(row.method for row in rows if row.difference is not None and not row.difference.paired))
    if any(difference.paired for difference in found):
        text = f'Differences from {baseline} are paired on the label draw, in points of {HEADLINE}'
        text += f', but those of {", ".join(apart)}, which have other labelled patches. ' if apart else '. '
    else:
        text = f'Differences from {baseline} in points of {HEADLINE}, not paired, as the labelled patches differ. '
    if found[0].low is None:
        return text + 'With one pretraining seed and one label draw there is no interval, and chance is not ruled out.'
    text += f'In brackets the {100 * found[0].level:g} % confidence interval, for one comparison at a time. '
    if found[0].covers == ('label draws',):
        return text + 'It covers the choice of labelled patches alone, not that of the pretraining seed.'
    if found[0].covers == ('pretraining seeds',):
        return text + 'It covers the pretraining seed alone, not the choice of labelled patches.'
    text += 'It covers pretraining seeds and label draws, not other imagery, networks or lengths of training.'
    if found[0].draws < ENOUGH_DRAWS:
        text += f' With {found[0].draws} draws it may miss the difference more often than it says; five are enough.'
    return text


def csv_table(comparisons: Sequence[MethodComparison]) -> str:
    """Write every number with four decimals, one line per method, protocol and fraction."""
    entries = _entries(comparisons)
    names = list(dict.fromkeys(name for entry in entries for name in entry))
    text = io.StringIO()
    writer = csv.DictWriter(text, names, restval='', lineterminator='\n')
    writer.writeheader()
    writer.writerows({name: '' if value is None else value for name, value in entry.items()} for entry in entries)
    return text.getvalue()


def json_table(comparisons: Sequence[MethodComparison], baseline: str) -> str:
    """Write the same numbers as JSON, with the summed confusion matrices."""
    matrices = [row.matrix.tolist() for comparison in comparisons for row in comparison.rows]
    entries = [
        entry | {'confusion_matrix': matrix} for entry, matrix in zip(_entries(comparisons), matrices, strict=True)
    ]
    return json.dumps({'baseline': baseline, 'rows': entries}, indent=1, allow_nan=False) + '\n'


def _entries(comparisons: Sequence[MethodComparison]) -> list[dict]:
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
            entry |= {'covers': found and ' and '.join(found.covers), 'paired': found and found.paired}
            entries.append(entry)
    return entries


def _plain(value: float | None) -> float | None:
    return None if value is None or math.isnan(value) else round(value, 4)


def _signed(value: float) -> str:
    return f'{value:+.2f}'.replace('-', '\N{MINUS SIGN}')


def _number(value: float | None) -> str:
    return '–' if value is None or math.isnan(value) else f'{value:.2f}'
