import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from projects.false import InputError
from projects.false.evaluation.scores import class_scores, confusion_matrix, score_table, scores


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
    with np.errstate(invalid='ignore'):
        harmonic = 2 * found.precision * found.recall / (found.precision + found.recall)
    np.testing.assert_allclose(harmonic[found.f1 > 0], found.f1[found.f1 > 0])


@pytest.mark.parametrize('seed', range(5))
def test_equals_the_metric_of_mmseg(seed):
    """Where every class is labelled and predicted; kappa from the agreement of shuffled pixels."""
    from mmseg.evaluation import IoUMetric

    generator = np.random.default_rng(seed)
    label = generator.integers(0, 4, (40, 50))
    prediction = np.where(generator.random(label.shape) < 0.6, label, generator.integers(0, 4, label.shape))
    label[generator.random(label.shape) < 0.1] = 255
    pair = (torch.from_numpy(prediction), torch.from_numpy(label))
    areas = IoUMetric.intersect_and_union(*pair, 4, 255)
    theirs = IoUMetric.total_area_to_metrics(*areas, ['mIoU', 'mDice', 'mFscore'])
    found = scores(confusion_matrix(label, prediction, 4))
    for name, values in (('IoU', found.iou), ('Fscore', found.f1)):
        np.testing.assert_allclose(values, theirs[name], rtol=1e-6)
    np.testing.assert_allclose(found.precision, theirs['Precision'], rtol=1e-6)
    np.testing.assert_allclose(found.recall, theirs['Recall'], rtol=1e-6)
    assert found.overall_accuracy == pytest.approx(float(theirs['aAcc']))
    assert found.mean_precision == pytest.approx(float(np.mean(theirs['Precision'])))
    assert found.mean_recall == pytest.approx(float(np.mean(theirs['Recall'])))


def test_kappa_by_its_definition():
    """Agreement beyond what two independent raters with the same class shares would reach."""
    generator = np.random.default_rng(3)
    label = generator.integers(0, 3, 400)
    prediction = np.where(generator.random(400) < 0.5, label, generator.integers(0, 3, 400))
    by_chance = np.mean([a == b for a in label for b in prediction])
    kappa = ((label == prediction).mean() - by_chance) / (1 - by_chance)
    assert scores(confusion_matrix(label, prediction, 3)).kappa == pytest.approx(kappa)
    assert scores(confusion_matrix(label, label, 3)).kappa == 1


def test_kappa_of_billions_of_pixels():
    matrix = np.array([[1_200_000_000, 900_000_000], [800_000_000, 400_000_000]])
    assert scores(matrix).kappa == pytest.approx(scores(matrix // 1_000_000).kappa)


def test_known_matrix():
    found = scores(np.array([[3, 1, 0], [1, 3, 0], [0, 0, 0]]))
    np.testing.assert_allclose(found.iou, [0.6, 0.6, np.nan])
    assert found.miou == pytest.approx(0.6)
    assert found.kappa == pytest.approx(0.5)
    np.testing.assert_allclose(found.precision[:2], [0.75, 0.75])
    assert found.absent() == [2]
    assert found.mean_precision == found.mean_recall == found.mean_f1 == 0.75


def test_a_class_that_is_only_predicted_counts_as_zero():
    found = scores(np.array([[3, 1], [0, 0]]))
    assert found.iou.tolist() == [0.75, 0]
    assert found.miou == 0.375
    assert found.absent() == []
    assert np.isnan(found.recall[1])
    assert found.mean_recall == 0.75


def test_ignored_pixels_do_not_count():
    label = np.array([0, 1, 255])
    assert confusion_matrix(label, np.array([0, 0, 1]), 2).tolist() == [[1, 0], [1, 0]]


@pytest.mark.parametrize(
    ('label', 'prediction', 'text'),
    [
        ([0, 3, 3], [0, 1, 1], r'^a\.png holds 3 \(2 px\); classes are 0 to 2 and 255 \(ignored\): check num_classes'),
        ([0, 1], [0, 7], r'^b\.png holds 7 \(1 px\); classes are 0 to 2: check'),
        ([0, 255], [0, 255], r'^b\.png holds 255 \(1 px\)'),
        ([0, -1], [0, 1], r'^a\.png holds -1'),
        ([0, 1], [0, -1], r'^b\.png holds -1'),
        ([0, 1], [0, 0.5], r'^b\.png holds 0\.5 '),
        ([0, 1], [0, float('nan')], r'^b\.png holds nan '),
        ([3, 4, 5, 6], [0, 0, 0, 0], r'^a\.png holds 3 \(1 px\), 4 \(1 px\), 5 \(1 px\), \.\.\.; classes'),
        ([0], [0, 1], r'^b\.png has shape \(2,\), a\.png has shape \(1,\)'),
    ],
)
def test_out_of_range_is_an_error(label, prediction, text):
    with pytest.raises(InputError, match=text):
        confusion_matrix(np.array(label), np.array(prediction), 3, names=('a.png', 'b.png'))


def test_nothing_labelled():
    with pytest.raises(InputError, match='no labelled pixel'):
        scores(np.zeros((3, 3), int))


MATRIX = np.array([[3, 1, 0, 0], [0, 4, 0, 2], [0, 0, 0, 0], [0, 0, 0, 0]])
CLASSES = ['field', 'water', 'car', 'rail']


def test_table():
    lines = score_table(scores(MATRIX), CLASSES).splitlines()
    assert lines[0].split() == ['class', 'IoU', 'F1', 'prec.', 'recall']
    assert lines[1].split() == ['field', '75.00', '85.71', '100.00', '75.00']
    assert lines[3].split() == ['car', '-', '-', '-', '-']
    assert lines[4].split() == ['rail', '0.00', '0.00', '0.00', '-']
    assert lines[5].split() == ['mean', '44.05', '52.81', '60.00', '70.83']
    assert lines[-1] == 'no labelled or predicted pixel, left out of the means: car'
    assert 'left out' not in score_table(scores(MATRIX[:2, :2]), CLASSES[:2])


def test_class_scores():
    found = class_scores(scores(MATRIX), MATRIX, CLASSES)
    assert list(found) == CLASSES
    assert found['field'] == {
        'IoU': 75.0, 'F1': 85.7143, 'precision': 100.0, 'recall': 75.0, 'labelled pixels': 4, 'predicted pixels': 3
    }  # fmt: skip
    assert np.isnan(found['car']['IoU'])
    assert found['rail']['predicted pixels'] == 2
