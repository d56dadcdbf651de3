"""The picture of a confusion matrix: dark where a row's pixels went, empty where a class has no label."""

import cv2
import numpy as np
import pytest

from projects.false.evaluation.evaluate import confusion_picture


def picture(matrix):
    names = [f'class number {index}' for index in range(len(matrix))]
    png = confusion_picture(np.array(matrix), names, 'title')
    return cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)


def blue(image):
    """Pixels of the darkest colour of the scale."""
    return int((image == (107, 48, 8)).all(-1).sum())


def test_a_full_cell_is_dark():
    right, wrong, empty = picture([[5, 0], [0, 9]]), picture([[0, 5], [9, 0]]), picture([[5, 0], [0, 0]])
    assert blue(right) == pytest.approx(blue(wrong), rel=0.1)
    assert blue(empty) == pytest.approx(blue(right) / 2, rel=0.1)
    height, width = right.shape[:2]
    assert blue(right[: height // 3, : width // 2]) > 1000 > blue(wrong[: height // 3, : width // 2])


@pytest.mark.parametrize('classes', [1, 9, 30])
def test_any_number_of_classes(classes):
    image = picture(np.eye(classes, dtype=int))
    assert blue(image) > 1000
    assert (picture(np.eye(classes, dtype=int)) == image).all()
