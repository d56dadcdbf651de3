"""Scores as text."""

from collections.abc import Sequence

from .confusion import Scores


def score_table(found: Scores, classes: Sequence[str]) -> str:
    """A table of per-class scores with the means below it, in percent; '-' where a class does not occur."""
    width = max(len(name) for name in [*classes, 'overall accuracy'])
    lines = [f'{"class":{width}}  {"IoU":>6}  {"F1":>6}  {"prec.":>6}  {"recall":>6}']
    columns = (found.iou, found.f1, found.precision, found.recall)
    for row, name in enumerate(classes):
        lines.append(f'{name:{width}}  ' + '  '.join(_percent(column[row]) for column in columns))
    lines.append(f'{"mean":{width}}  {_percent(found.miou)}  {_percent(found.mean_f1)}')
    lines.append(f'{"overall accuracy":{width}}  {_percent(found.overall_accuracy)}')
    lines.append(f'{"kappa":{width}}  {_percent(found.kappa)}')
    return '\n'.join(lines)


def _percent(value: float) -> str:
    return f'{"-":>6}' if value != value else f'{100 * value:6.2f}'
