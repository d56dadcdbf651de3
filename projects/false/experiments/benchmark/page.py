"""The HTML page of a benchmark: scores, differences with their intervals, classes, example patches and curves."""

import html
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from projects.false.imagery.palettes import Palette
from projects.false.reports.charts import Interval, bar_chart, class_legend, interval_chart, run_legend
from projects.false.reports.curves import loss_curves
from projects.false.reports.page import page, write_page
from projects.false.reports.score_tables import (
    MEANS,
    MOST_RUNS,
    Run,
    class_table,
    confusion_section,
    facts_table,
    scores_note,
)
from projects.false.reports.strips import choose_patches, strip

from .audit_section import audit_section
from .labels_section import labels_section
from .summary import HEADLINE, MethodComparison, MethodSummary, coverage_note, difference_text

STRIPS = 6


@dataclass(frozen=True)
class RunFiles:
    """The files of one run, from which the pictures and curves of a method are drawn.

    Attributes:
        predictions: Folder of its predicted masks; None leaves the strips out.
        training_log: Work folder of the fine-tuning; None leaves its curve out.
        pretraining_log: Work folder of the pretraining; None without one.
    """

    predictions: Path | None = None
    training_log: Path | None = None
    pretraining_log: Path | None = None


@dataclass(frozen=True)
class BenchmarkPage:
    """The content of a page.

    Attributes:
        title: Plain text.
        lead: Plain text.
        baseline: The method that others are compared with.
        comparisons: The comparisons of the methods.
        files: For every protocol, fraction and method, the files of the run to show.
        data_root: Folder of the patches.
        part: Name of the list that was tested on.
        palette: Classes and colours.
        facts: Rows of the last table, by name.
        audit: Folder with the ``audit.html`` of a false-negative audit; None leaves it out.
    """

    title: str
    lead: str
    baseline: str
    comparisons: Sequence[MethodComparison]
    files: Mapping[tuple[str, float, str], RunFiles]
    data_root: Path
    part: str
    palette: Palette
    facts: Mapping[str, str] = field(default_factory=dict)
    audit: Path | None = None


def write_benchmark_page(path: Path, content: BenchmarkPage) -> None:
    """Write the page: one self-contained HTML file, completely or not at all.

    Raises:
        InputError: Predictions, logs or data are missing or do not fit together, or the file cannot be written.
    """
    sections = [(comparison.heading, _results(comparison, content.baseline)) for comparison in content.comparisons]
    over_labels = labels_section(content.comparisons, content.baseline)
    if over_labels:
        sections.append(('How many labels', over_labels))
    sections.append(('What the numbers mean', f'<p class="note">{_note(content)}</p>{scores_note()}'))
    for comparison in content.comparisons:
        runs = [_as_run(row, comparison, content) for row in comparison.rows]
        name = f' ({comparison.heading})' if len(content.comparisons) > 1 else ''
        sections.append((f'Classes{name}', _classes(runs, content)))
        strips = _strips(runs, content)
        if strips:
            sections.append((f'Patches{name}', strips))
        sections.append((f'Confusion{name}', confusion_section(runs, content.palette, 'method, over all its runs,')))
        curves = ''.join(loss_curves(group) for group in _groups(runs, content.baseline, once=True))
        if curves:
            sections.append(
                (f'Training{name}', f'<p>One run of every method, with the same seed and draw.</p>{curves}')
            )
    if content.audit is not None:
        sections.append(('Audit of false negatives', audit_section(content.audit)))
    sections.append(('Facts', facts_table(dict(content.facts))))
    write_page(path, page(content.title, f'<p>{html.escape(content.lead)}</p>', sections))


def _results(comparison: MethodComparison, baseline: str) -> str:
    best = max((row.means[HEADLINE] for row in comparison.rows), default=math.nan)
    rows = []
    for row in comparison.rows:
        headline = _number(row.means[HEADLINE])
        cells = [f'<b>{headline}</b>' if row.means[HEADLINE] == best else headline]
        cells += [_number(row.draw_spread), _number(row.seed_spread), html.escape(difference_text(row)) or '–']
        cells += [_number(row.means[key]) for key in MEANS[1:]]
        cells.append(str(row.runs) if row.runs == row.planned else f'{row.runs} of {row.planned}')
        texts = ''.join(f'<td>{cell}</td>' for cell in cells)
        rows.append(f'<tr><th scope="row">{html.escape(row.method)}</th>{texts}</tr>')
    names = [HEADLINE, 'sd over draws', 'sd over seeds', f'difference from {baseline}', *MEANS[1:], 'runs']
    head = ''.join(f'<th scope="col">{html.escape(name)}</th>' for name in ['method', *names])
    table = (
        '<div class="scroll"><table class="compared"><caption>Means over all runs in percent</caption>'
        f'<thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'
    )
    found = [(row.method, row.difference) for row in comparison.rows if row.difference is not None]
    if not found:
        return table
    intervals = [Interval(name, difference.mean, difference.low, difference.high) for name, difference in found]
    values = '; '.join(f'{row.method} {difference_text(row)}' for row in comparison.rows if row.difference is not None)
    label = f'{HEADLINE} minus that of {baseline}, in points'
    return f'{table}<figure class="intervals">{interval_chart(intervals, label, f"{label}: {values}")}</figure>'


def _note(content: BenchmarkPage) -> str:
    text = html.escape(coverage_note(content.comparisons, content.baseline))
    if content.part == 'val':
        text += ' These patches serve to choose settings; what is reported comes from --part test.'
    return text


def _as_run(row: MethodSummary, comparison: MethodComparison, content: BenchmarkPage) -> Run:
    files = content.files.get((comparison.protocol, comparison.fraction, row.method), RunFiles())
    means = {name: None if math.isnan(value) else value for name, value in row.means.items()}
    scores = {'scores': means, 'classes': list(content.palette.classes), 'confusion_matrix': row.matrix}
    return Run(
        row.method,
        scores,
        files.predictions,  # type: ignore[arg-type]  # without predictions there are no strips
        files.training_log,
        files.pretraining_log,
    )


def _groups(runs: Sequence[Run], baseline: str, once: bool = False) -> list[list[Run]]:
    """Split the runs into groups that colours can tell apart, each with the baseline.

    With ``once``, only the first group has the pretraining curve of the baseline.
    """
    if len(runs) <= MOST_RUNS:
        return [list(runs)]
    first = [run for run in runs if run.name == baseline]
    others = [run for run in runs if run.name != baseline]
    size = MOST_RUNS - len(first)
    groups = [[*first, *others[start : start + size]] for start in range(0, len(others), size)]
    if once:
        bare = [replace(run, pretraining_log=None) for run in first]
        groups = [groups[0], *([*bare, *group[len(first) :]] for group in groups[1:])]
    return groups


def _classes(runs: Sequence[Run], content: BenchmarkPage) -> str:
    charts = []
    for group in _groups(runs, content.baseline):
        values = np.array([[run.iou(name) for run in group] for name in content.palette.classes])
        chart = bar_chart(content.palette.classes, values, 'Bars of the mean IoU of every class by method.')
        legend = run_legend(list(enumerate(run.name for run in group)), 'bar')
        charts.append(f'<figure>{legend}{chart}<figcaption>mean IoU in percent</figcaption></figure>')
    table = class_table(runs, content.palette)
    if len(charts) == 1:
        return f'<div class="pair">{table}{charts[0]}</div>'
    return f'{table}<div class="pair">{"".join(charts)}</div>'


def _strips(runs: Sequence[Run], content: BenchmarkPage) -> str:
    shown = [run for run in runs if run.predictions is not None]
    if not shown:
        return ''
    if not (content.data_root / 'images').is_dir():
        return '<p>No pictures: the patches are packed, and the folder images was removed.</p>'
    names = choose_patches(content.data_root, STRIPS, content.part)
    rows = '\n'.join(strip(name, shown, content.data_root, content.palette) for name in names)
    return (
        '<p>The patches with the most classes: image, label, and the prediction of one run of every method. They were '
        f'chosen by their labels alone, not by the result.</p>{class_legend(content.palette)}{rows}'
    )


def _number(value: float | None) -> str:
    return '–' if value is None or math.isnan(value) else f'{value:.2f}'
