import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from projects.false import InputError
from projects.false.evaluation.confusion import confusion_matrix, scores


def slow_scores(label, prediction, classes):
    """Pixel sets, one class at a time."""
    pairs = [(int(a), int(b)) for a, b in zip(label.ravel(), prediction.ravel(), strict=True) if a != 255]
    iou = []
    for c in range(classes):
        union = sum(a == c or b == c for a, b in pairs)
        iou.append(sum(a == b == c for a, b in pairs) / union if union else float('nan'))
    return iou, sum(a == b for a, b in pairs) / len(pairs)


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 10_000), classes=st.integers(2, 6))
def test_equals_pixel_sets(seed, classes):
    generator = np.random.default_rng(seed)
    label = generator.integers(0, classes, (6, 7)).astype(np.uint8)
    label[generator.random((6, 7)) < 0.2] = 255
    label[0, 0] = 0
    prediction = generator.integers(0, classes, (6, 7))
    found = scores(confusion_matrix(label, prediction, classes))
    iou, accuracy = slow_scores(label, prediction, classes)
    np.testing.assert_allclose(found.iou, iou)
    assert found.miou == pytest.approx(np.nanmean(iou))
    assert found.overall_accuracy == pytest.approx(accuracy)
    np.testing.assert_allclose(found.f1, 2 * found.iou / (1 + found.iou))


def test_known_matrix():
    found = scores(np.array([[3, 1, 0], [1, 3, 0], [0, 0, 0]]))
    np.testing.assert_allclose(found.iou, [0.6, 0.6, np.nan])
    assert found.miou == pytest.approx(0.6)
    assert found.kappa == pytest.approx(0.5)
    np.testing.assert_allclose(found.precision[:2], [0.75, 0.75])


def test_ignored_pixels_do_not_count():
    label = np.array([0, 1, 255])
    assert confusion_matrix(label, np.array([0, 0, 1]), 2).tolist() == [[1, 0], [1, 0]]


@pytest.mark.parametrize(
    ('label', 'prediction', 'text'), [([0, 3], [0, 1], 'label'), ([0, 1], [0, 7], 'prediction'), ([0], [0, 1], 'shape')]
)
def test_out_of_range_is_an_error(label, prediction, text):
    with pytest.raises(InputError, match=text):
        confusion_matrix(np.array(label), np.array(prediction), 3)


def test_nothing_labelled():
    with pytest.raises(InputError, match='no labelled pixel'):
        scores(np.zeros((3, 3), int))
