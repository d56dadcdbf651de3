"""One confusion matrix and every score that is read off it."""

from dataclasses import dataclass

import numpy as np

from projects.false.errors import InputError


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
        prediction: Class indices, same shape; checked where the label is ignored, too.
        num_classes: C.
        ignore_index: Pixels with this label are left out.
        names: What error messages call the two, such as the files that they come from.

    Returns:
        Shape (C, C), int64: rows are labels, columns predictions.

    Raises:
        InputError: The shapes differ, or a value is no class.
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
    in semantic segmentation. One that is predicted but never labelled has IoU and F1 of 0, and they count.

    Attributes:
        iou: Intersection over union per class.
        f1: F1 (Dice) per class.
        precision: Per class; NaN where nothing was predicted as the class.
        recall: Per class (producer's accuracy); NaN where the class has no label.
        miou: Mean of ``iou``.
        mean_f1: Mean of ``f1``.
        mean_precision: Mean of ``precision``.
        mean_recall: Mean of ``recall``.
        overall_accuracy: Share of labelled pixels that are right (OA).
        kappa: Cohen's kappa; 1 where labels and predictions are one and the same class.
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
        """Indices of the classes without a single pixel, labelled or predicted."""
        return np.flatnonzero(np.isnan(self.iou)).tolist()


def scores(matrix: np.ndarray) -> Scores:
    """Read all scores off a confusion matrix.

    Args:
        matrix: Shape (C, C), rows are labels.

    Raises:
        InputError: The matrix is empty: there was no labelled pixel.
    """
    total = float(matrix.sum())  # its square would overflow an integer from 3e9 pixels on
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
    means = (float(np.nanmean(values)) for values in (iou, f1, precision, recall))
    return Scores(iou, f1, precision, recall, *means, float(accuracy), float(kappa))
