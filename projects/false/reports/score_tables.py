"""Runs that a report compares, and tables of their scores as HTML."""

import html
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from projects.false.common.errors import InputError
from projects.false.imagery.palettes import Palette

from .charts import swatch

MEANS = ('mIoU', 'OA', 'mF1', 'kappa')
BASELINE = 'random'  # name of the run that the others are compared to
MOST_RUNS = 5  # number of colours and dash patterns in the style sheet
_SCORES = """<p class="small muted">IoU of a class: the pixels where label and prediction agree on the class, divided
by the pixels where at least one of them names it. mIoU is its mean over the classes that occur, mF1 the mean of the
related F1. OA, overall accuracy, is the share of labelled pixels that are correct; large classes dominate it. Kappa is
OA corrected for agreement by chance. 100 is perfect.</p>"""


@dataclass(frozen=True)
class Run:
    """A model that was fine-tuned and tested.

    Args:
        name: Start of its training, such as ``'FALSE'``, ``'SimCLR'`` or :data:`BASELINE`.
        scores: Content that ``tools/test.py --out`` writes: ``scores`` in percent, ``classes`` and
            ``confusion_matrix``.
        predictions: Folder of predicted index masks, ``<patch>.png``, as ``tools/test.py --predictions`` writes them.
        training_log: Work folder of the fine-tuning, or one ``scalars.json``; None leaves its curve out.
        pretraining_log: The same for the pretraining; None for a run without one.
    """

    name: str
    scores: dict
    predictions: Path
    training_log: Path | None = None
    pretraining_log: Path | None = None

    def mean(self, key: str) -> float:
        """Return a mean score in percent, one of :data:`MEANS`."""
        return float(self.scores['scores'][key])

    def iou(self, label: str) -> float:
        """Return the IoU of a class in percent; NaN if it is neither labelled nor predicted."""
        value = self.scores['scores'].get(f'IoU.{label}')
        return float('nan') if value is None else float(value)

    def matrix(self) -> np.ndarray:
        """Return the confusion matrix, (C, C), int64; its rows are labels."""
        return np.asarray(self.scores['confusion_matrix'], np.int64)


def check_runs(runs: Sequence[Run], classes: Sequence[str]) -> None:
    """Check that every run has the scores that a report shows, for the same classes.

    Raises:
        InputError: There is no run, there are too many, a name occurs twice, or scores are missing or belong to other
            classes.
    """
    if not runs:
        raise InputError('runs is empty; give at least one run to report on')
    if len(runs) > MOST_RUNS:
        raise InputError(f'{len(runs)} runs are too many, a report shows at most {MOST_RUNS}; give fewer')
    names = [run.name for run in runs]
    if len(set(names)) != len(names):
        raise InputError(f'a name occurs twice among the runs {names}; make them different')
    for run in runs:
        where, remedy = f'scores of run {run.name!r}', 'evaluate it again with tools/test.py --out'
        absent = [key for key in ('scores', 'classes', 'confusion_matrix') if run.scores.get(key) is None]
        absent = absent or [key for key in MEANS if key not in run.scores['scores']]
        if absent:
            raise InputError(f'{where}: {absent[0]!r} is missing; {remedy}')
        if list(run.scores['classes']) != list(classes):
            raise InputError(
                f'{where}: classes {list(run.scores["classes"])}, but the palette has {list(classes)}; '
                'give the palette that the run was trained with'
            )
        if run.matrix().shape != (len(classes), len(classes)):
            raise InputError(f'{where}: confusion matrix of shape {run.matrix().shape}; {remedy}')


def percent(value: float) -> str:
    """Format a number with one decimal, and NaN as a dash."""
    return '–' if np.isnan(value) else f'{value:.1f}'.replace('-', '\N{MINUS SIGN}')


def signed(value: float) -> str:
    """Format a difference with one decimal and its sign."""
    text = f'{value:+.1f}'.replace('-', '\N{MINUS SIGN}')
    return '±0.0' if text[1:] == '0.0' else text


def means_table(runs: Sequence[Run]) -> str:
    """Return a table of mIoU, OA, mF1 and kappa per run, each with its difference from :data:`BASELINE`."""
    baseline = next((run for run in runs if run.name == BASELINE), None)
    rows = []
    for run in runs:
        cells = []
        for key in MEANS:
            text = _emphasis(percent(run.mean(key)), [percent(other.mean(key)) for other in runs])
            if baseline is not None:
                difference = '' if run is baseline else signed(run.mean(key) - baseline.mean(key))
                text += f' <small>{difference}</small>'  # also where empty, to align the numbers
            cells.append(f'<td>{text}</td>')
        rows.append(f'<tr><th scope="row">{html.escape(run.name)}</th>{"".join(cells)}</tr>')
    space = '' if baseline is None else ' <small></small>'
    head = ''.join(f'<th scope="col">{key}{space}</th>' for key in MEANS)
    small = '' if baseline is None else '; small: difference from random weights, in points'
    caption = f'Scores on the test patches in percent, best in bold{small}'
    return _table('means', caption, f'<th scope="col">start of training</th>{head}', rows)


def class_table(runs: Sequence[Run], palette: Palette) -> str:
    """Return a table of IoU per class and run, with the share of each class in the labelled test pixels."""
    labelled = runs[0].matrix().sum(1)
    rows = []
    for index, name in enumerate(palette.classes):
        texts = [percent(run.iou(name)) for run in runs]
        cells = ''.join(f'<td>{_emphasis(text, texts)}</td>' for text in texts)
        share = percent(100 * labelled[index] / max(labelled.sum(), 1))
        rows.append(
            f'<tr><th scope="row">{swatch(palette, index)} {html.escape(name)}</th>{cells}'
            f'<td class="muted">{share}</td></tr>'
        )
    head = ''.join(f'<th scope="col">{html.escape(run.name)}</th>' for run in runs)
    caption = 'IoU of every class in percent, best of a row in bold'
    return _table(
        'classes', caption, f'<th scope="col">class</th>{head}<th scope="col" class="muted">share of pixels</th>', rows
    )


def confusion_table(run: Run, palette: Palette) -> str:
    """Return the confusion matrix as a table whose rows sum to 100 %."""
    matrix = run.matrix().astype(float)
    totals = matrix.sum(1, keepdims=True)
    shares = np.divide(100 * matrix, totals, out=np.full_like(matrix, np.nan), where=totals > 0)
    head = ''.join(
        f'<th scope="col" title="{html.escape(name)}">{swatch(palette, index)}<br>{index + 1}</th>'
        for index, name in enumerate(palette.classes)
    )
    rows = []
    for index, name in enumerate(palette.classes):
        cells = ''.join(_shaded(share, index == column) for column, share in enumerate(shares[index]))
        rows.append(f'<tr><th scope="row"><span class="muted">{index + 1}</span> {html.escape(name)}</th>{cells}</tr>')
    return _table('confusion', html.escape(run.name), f'<th scope="col">label</th>{head}', rows)


def confusion_section(runs: Sequence[Run], palette: Palette, predictor: str) -> str:
    """Return the confusion matrices of all runs side by side, under a paragraph that says how to read them.

    Args:
        runs: The runs, one table each.
        palette: Classes and colours.
        predictor: Name of the predictor, such as ``'network'``.
    """
    tables = ''.join(confusion_table(run, palette) for run in runs)
    return (
        f'<p>Of the pixels labelled as a class (row), the share in percent that each {predictor} predicted as each '
        f'class (column, numbered as the rows). Rows sum to 100 before rounding.</p><div class="pair">{tables}</div>'
    )


def scores_note() -> str:
    """Return a paragraph that explains the scores."""
    return _SCORES


def facts_table(facts: dict[str, str]) -> str:
    """Return a table of names and values."""
    rows = [
        f'<tr><th scope="row">{html.escape(str(name))}</th><td>{html.escape(str(value))}</td></tr>'
        for name, value in facts.items()
    ]
    return f'<table class="facts"><tbody>{"".join(rows)}</tbody></table>'


def _shaded(share: float, hit: bool) -> str:
    if np.isnan(share):
        return '<td>–</td>'
    if round(share) == 0:
        return '<td class="muted">0</td>'
    # At most 55 % of the colour, so that text stays readable on it, light or dark.
    return f'<td{" class=hit" if hit else ""} style="--share:{0.55 * share:.0f}%">{share:.0f}</td>'


def _emphasis(text: str, row: Sequence[str]) -> str:
    """Make a text bold if it is the best of its row as printed; leave it plain where all are equal."""
    numbers = {other: float(other.replace('\N{MINUS SIGN}', '-')) for other in row if other != '–'}
    best = len(set(numbers.values())) > 1 and text in numbers and numbers[text] == max(numbers.values())
    return f'<b>{text}</b>' if best else text


def _table(kind: str, caption: str, head: str, rows: Sequence[str]) -> str:
    return (
        f'<div class="scroll"><table class="{kind}"><caption>{caption}</caption>'
        f'<thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'
    )
