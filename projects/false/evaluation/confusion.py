"""One confusion matrix and every score that is read off it."""

from dataclasses import dataclass

import numpy as np

from projects.false.errors import InputError


def confusion_matrix(
    label: np.ndarray, prediction: np.ndarray, num_classes: int, ignore_index: int = 255
) -> np.ndarray:
    """Count pixels by labelled and predicted class.

    Args:
        label: Class indices or the ignore index, any shape.
        prediction: Class indices, same shape.
        num_classes: C.
        ignore_index: Pixels with this label are left out.

    Returns:
        Shape (C, C), int64: rows are labels, columns predictions.

    Raises:
        InputError: The shapes differ, or a value is no class.
    """
    if label.shape != prediction.shape:
        raise InputError(f'prediction of shape {prediction.shape} for a label of shape {label.shape}')
    counted = label != ignore_index
    label, prediction = label[counted].astype(np.int64), prediction[counted].astype(np.int64)
    for name, values in (('label', label), ('prediction', prediction)):
        if values.size and not (values.min() >= 0 and values.max() < num_classes):
            raise InputError(
                f'{name} holds values from {values.min()} to {values.max()}, classes are 0 to {num_classes - 1} '
                f'(ignore index {ignore_index}); check num_classes of the model and the palette of the data'
            )
    return np.bincount(label * num_classes + prediction, minlength=num_classes**2).reshape(num_classes, num_classes)


@dataclass(frozen=True)
class Scores:
    """Scores of a confusion matrix, fractions in [0, 1]; NaN where a class is neither labelled nor predicted.

    Attributes:
        iou: Intersection over union per class.
        f1: F1 (Dice) per class.
        precision: Per class; NaN where nothing was predicted as the class.
        recall: Per class; NaN where the class has no label.
        miou: Mean of ``iou`` over the classes that occur.
        mean_f1: Mean of ``f1`` over the classes that occur.
        overall_accuracy: Share of labelled pixels that are right (OA).
        kappa: Cohen's kappa.
    """

    iou: np.ndarray
    f1: np.ndarray
    precision: np.ndarray
    recall: np.ndarray
    miou: float
    mean_f1: float
    overall_accuracy: float
    kappa: float


def scores(matrix: np.ndarray) -> Scores:
    """Read all scores off a confusion matrix.

    Args:
        matrix: Shape (C, C), rows are labels.

    Raises:
        InputError: The matrix is empty: there was no labelled pixel.
    """
    total = matrix.sum()
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
        iou, f1, precision, recall, float(np.nanmean(iou)), float(np.nanmean(f1)), float(accuracy), float(kappa)
    )
