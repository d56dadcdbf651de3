import numpy as np

from projects.false.evaluation.scores import class_scores, score_table, scores

MATRIX = np.array([[3, 1, 0, 0], [0, 4, 0, 2], [0, 0, 0, 0], [0, 0, 0, 0]])
CLASSES = ['field', 'water', 'car', 'rail']


def test_table():
    lines = score_table(scores(MATRIX), CLASSES).splitlines()
    assert lines[0].split() == ['class', 'IoU', 'F1', 'prec.', 'recall']
    assert lines[1].split() == ['field', '75.00', '85.71', '100.00', '75.00']
    assert lines[3].split() == ['car', '-', '-', '-', '-']
    assert lines[4].split() == ['rail', '0.00', '0.00', '0.00', '-']
    assert lines[5].split() == ['mean', '44.05', '52.81', '60.00', '70.83']
    assert lines[-1] == 'not a pixel labelled or predicted, left out of the means: car'
    assert 'left out' not in score_table(scores(MATRIX[:2, :2]), CLASSES[:2])


def test_class_scores():
    found = class_scores(scores(MATRIX), MATRIX, CLASSES)
    assert list(found) == CLASSES
    assert found['field'] == {
        'IoU': 75.0, 'F1': 85.7143, 'precision': 100.0, 'recall': 75.0, 'labelled pixels': 4, 'predicted pixels': 3
    }  # fmt: skip
    assert np.isnan(found['car']['IoU'])
    assert found['rail']['predicted pixels'] == 2
