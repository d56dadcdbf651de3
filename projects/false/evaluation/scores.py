"""Count a confusion matrix, compute every score from it, and format both as text."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from projects.false.common.errors import InputError


def confusion_matrix(
    label: np.ndarray,
    prediction: np.ndarray,
    num_classes: int,
    ignore_index: int = 255,
    names: tuple[str, str] = ('label', 'prediction'),
) -> np.ndarray:
    """Count pixels by labelled and predicted class.

    Args:
        label: Class indices or the ignore index, any shape.
        prediction: Class indices, same shape; checked even where the label is ignored.
        num_classes: Number of classes C.
        ignore_index: Label of the pixels to leave out.
        names: Names of label and prediction in error messages, such as their files.

    Returns:
        Shape (C, C), int64: rows are labels, columns predictions.

    Raises:
        InputError: The shapes differ, or a value is not a class index.
    """
    if label.shape != prediction.shape:
        raise InputError(
            f'{names[1]} has shape {prediction.shape}, {names[0]} has shape {label.shape}; they must agree'
        )
    counted = label != ignore_index
    label = _class_indices(label[counted], num_classes, names[0], f' and {ignore_index} (ignored)')
    prediction = _class_indices(prediction, num_classes, names[1])[counted]
    return np.bincount(label * num_classes + prediction, minlength=num_classes**2).reshape(num_classes, num_classes)


def _class_indices(values: np.ndarray, num_classes: int, name: str, allowed: str = '') -> np.ndarray:
    right = (values >= 0) & (values < num_classes)
    if not np.issubdtype(values.dtype, np.integer):
        right &= values % 1 == 0
    wrong, pixels = np.unique(values[~right], return_counts=True)
    if wrong.size:
        shown = ', '.join(f'{value:g} ({count} px)' for value, count in zip(wrong[:3], pixels[:3], strict=True))
        raise InputError(
            f'{name} holds {shown}{", ..." if len(wrong) > 3 else ""}; classes are 0 to {num_classes - 1}{allowed}: '
            'check num_classes of the model and the palette of the data'
        )
    return values.astype(np.int64)


@dataclass(frozen=True)
class Scores:
    """Scores of a confusion matrix, fractions in [0, 1] (kappa in [-1, 1]).

    A class with neither a labelled nor a predicted pixel has NaN everywhere and is left out of every mean, as is usual
    in semantic segmentation. A class that is predicted but never labelled has an IoU and F1 of 0, which count.

    Attributes:
        iou: Intersection over union per class.
        f1: F1 (Dice) per class.
        precision: Precision per class; NaN where nothing was predicted as the class.
        recall: Recall per class (producer's accuracy); NaN where the class has no label.
        miou: Mean of ``iou``.
        mean_f1: Mean of ``f1``.
        mean_precision: Mean of ``precision``.
        mean_recall: Mean of ``recall``.
        overall_accuracy: Share of the labelled pixels that are predicted correctly (OA).
        kappa: Cohen's kappa; 1 if all labels and predictions are of the same single class.
    """

    iou: np.ndarray
    f1: np.ndarray
    precision: np.ndarray
    recall: np.ndarray
    miou: float
    mean_f1: float
    mean_precision: float
    mean_recall: float
    overall_accuracy: float
    kappa: float

    def absent(self) -> list[int]:
        """Return the indices of the classes without a labelled or predicted pixel."""
        return np.flatnonzero(np.isnan(self.iou)).tolist()


def scores(matrix: np.ndarray) -> Scores:
    """Compute all scores from a confusion matrix.

    Args:
        matrix: Shape (C, C), rows are labels.

    Raises:
        InputError: The matrix is all zero, because there was no labelled pixel.
    """
    total = float(matrix.sum())  # a float, as the square of 3e9 pixels would overflow an integer
    if total == 0:
        raise InputError('no labelled pixel to evaluate on; check the masks and the list of the evaluated split')
    hit, labelled, predicted = matrix.diagonal().astype(float), matrix.sum(1).astype(float), matrix.sum(0).astype(float)
    with np.errstate(invalid='ignore', divide='ignore'):
        iou = hit / (labelled + predicted - hit)
        f1 = 2 * hit / (labelled + predicted)
        precision, recall = hit / predicted, hit / labelled
    accuracy = hit.sum() / total
    chance = (labelled * predicted).sum() / total**2
    kappa = (accuracy - chance) / (1 - chance) if chance < 1 else 1.0
    return Scores(
        iou=iou,
        f1=f1,
        precision=precision,
        recall=recall,
        miou=float(np.nanmean(iou)),
        mean_f1=float(np.nanmean(f1)),
        mean_precision=float(np.nanmean(precision)),
        mean_recall=float(np.nanmean(recall)),
        overall_accuracy=float(accuracy),
        kappa=float(kappa),
    )


def score_table(found: Scores, classes: Sequence[str]) -> str:
    """Format the scores per class with their means below, in percent; '-' where a score is undefined.

    Classes without a labelled or predicted pixel, which no mean counts, are named below the table.
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
        lines.append(f'no labelled or predicted pixel, left out of the means: {", ".join(absent)}')
    return '\n'.join(lines)


def class_scores(found: Scores, matrix: np.ndarray, classes: Sequence[str]) -> dict[str, dict[str, float]]:
    """Return the scores of every class in percent, NaN where undefined, and its pixel counts.

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
    """Format a confusion matrix in pixels as comma-separated values, one row per labelled class."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator='\n')
    writer.writerow(['label \\ prediction', *classes])
    writer.writerows([name, *row] for name, row in zip(classes, matrix.tolist(), strict=True))
    return text.getvalue()


def _percent(value: float) -> str:
    return f'{"-":>6}' if value != value else f'{100 * value:6.2f}'
