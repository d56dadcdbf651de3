"""Scores and confusion matrix as text."""

import csv
import io
from collections.abc import Sequence

import numpy as np

from .scores import Scores


def score_table(found: Scores, classes: Sequence[str]) -> str:
    """A table of per-class scores with the means below it, in percent; '-' where a class has no such score.

    Classes without a single pixel, labelled or predicted, are named below it: no mean counts them.
    """
    width = max(len(name) for name in [*classes, 'overall accuracy'])
    lines = [f'{"class":{width}}  {"IoU":>6}  {"F1":>6}  {"prec.":>6}  {"recall":>6}']
    columns = (found.iou, found.f1, found.precision, found.recall)
    for row, name in enumerate(classes):
        lines.append(f'{name:{width}}  ' + '  '.join(_percent(column[row]) for column in columns))
    means = (found.miou, found.mean_f1, found.mean_precision, found.mean_recall)
    lines.append(f'{"mean":{width}}  ' + '  '.join(map(_percent, means)))
    lines.append(f'{"overall accuracy":{width}}  {_percent(found.overall_accuracy)}')
    lines.append(f'{"kappa":{width}}  {_percent(found.kappa)}')
    absent = [classes[index] for index in found.absent()]
    if absent:
        lines.append(f'not a pixel labelled or predicted, left out of the means: {", ".join(absent)}')
    return '\n'.join(lines)


def class_scores(found: Scores, matrix: np.ndarray, classes: Sequence[str]) -> dict[str, dict[str, float]]:
    """Scores of every class by name, in percent, NaN where it has none, and its numbers of pixels.

    Returns:
        ``{class: {'IoU', 'F1', 'precision', 'recall', 'labelled pixels', 'predicted pixels'}}``.
    """
    columns = {'IoU': found.iou, 'F1': found.f1, 'precision': found.precision, 'recall': found.recall}
    return {
        name: {
            **{score: round(100 * float(values[index]), 4) for score, values in columns.items()},
            'labelled pixels': int(matrix[index].sum()),
            'predicted pixels': int(matrix[:, index].sum()),
        }
        for index, name in enumerate(classes)
    }


def matrix_csv(matrix: np.ndarray, classes: Sequence[str]) -> str:
    """A confusion matrix in pixels as comma-separated values: a row for every labelled class."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator='\n')
    writer.writerow(['label \\ prediction', *classes])
    writer.writerows([name, *row] for name, row in zip(classes, matrix.tolist(), strict=True))
    return text.getvalue()


def _percent(value: float) -> str:
    return f'{"-":>6}' if value != value else f'{100 * value:6.2f}'
