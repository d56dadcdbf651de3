"""Whether the results of a test can be written is known before it; what is written can be read by anything."""

import csv
import json

import cv2
import numpy as np
import pytest

from projects.false.common.errors import InputError
from projects.false.evaluation.evaluate import check_outputs, confusion_picture, is_folder, write_folder, write_scores

FOUND = {
    'checkpoint': 'iter_1.pth',
    'scores': {'mIoU': 50.0, 'OA': 60.0, 'kappa': 0.0, 'IoU.c': float('nan')},
    'classes': ['a, b', 'c'],
    'per_class': {'c': {'IoU': float('nan'), 'labelled pixels': 0}},
    'confusion_matrix': [[3, 1], [0, 0]],
}


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """In a folder with a file."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'log').write_text('kept')


def test_places_are_made(tmp_path):
    check_outputs(None, None)
    check_outputs('out/scores.json', 'out/predictions')
    check_outputs('log', '.')  # is replaced
    check_outputs('tables', None)
    names = sorted(path.name for path in tmp_path.rglob('*'))
    assert names == ['log', 'out', 'predictions', 'tables']
    assert (tmp_path / 'log').read_text() == 'kept'


def test_what_a_name_means(tmp_path):
    (tmp_path / 'folder.json').mkdir()
    names = ['new', 'new.json', 'new.JSON', 'log', '.', 'run_1.5', 'folder.json']
    assert [is_folder(name) for name in names] == [True, False, False, False, True, True, True]


@pytest.mark.parametrize(
    ('out', 'predictions', 'text'),
    [
        ('log/scores.json', None, '--out log/scores.json: log is a file; choose another --out'),
        ('log/a/b.json', None, '--out log/a/b.json: log is a file; choose another --out'),
        ('log/tables', None, '--out log/tables: log is a file; choose another --out'),
        ('/proc/x', None, '--out /proc/x: cannot be written'),
        (None, 'log', '--predictions log: log is a file; choose another --predictions'),
        (None, '/proc/x', '--predictions /proc/x: cannot be written'),
    ],
)
def test_places_that_are_taken(out, predictions, text):
    with pytest.raises(InputError) as caught:
        check_outputs(out, predictions)
    assert str(caught.value).startswith(text)


@pytest.mark.parametrize('number', [-1, 51])
def test_number_of_examples(number):
    with pytest.raises(InputError, match=rf'^--examples is {number}; give 0 to 50$'):
        check_outputs('new', None, number)


def refuse(name):
    raise AssertionError(f'{name} is no JSON')


def test_folder(tmp_path):
    examples = np.zeros((5, 7, 3), np.uint8)
    names = write_folder(FOUND, examples, 'new/out')
    assert names == ['confusion.csv', 'confusion.png', 'examples.png', 'scores.json']
    out = tmp_path / 'new' / 'out'
    assert sorted(path.name for path in out.iterdir()) == names
    read = json.loads((out / 'scores.json').read_text(), parse_constant=refuse)
    assert read['scores'] == {'mIoU': 50.0, 'OA': 60.0, 'kappa': 0.0, 'IoU.c': None}
    assert read['per_class']['c'] == {'IoU': None, 'labelled pixels': 0}
    with (out / 'confusion.csv').open(newline='') as file:
        assert list(csv.reader(file)) == [['label \\ prediction', 'a, b', 'c'], ['a, b', '3', '1'], ['c', '0', '0']]
    assert cv2.imread(str(out / 'examples.png')).shape == (5, 7, 3)
    assert cv2.imread(str(out / 'confusion.png')).std() > 5
    assert write_folder(FOUND | {'confusion_matrix': None}, None, 'new/out') == ['scores.json']
    assert [path.name for path in out.iterdir()] == ['scores.json']


def test_writing_fails_in_one_line(tmp_path):
    (tmp_path / 'out' / 'scores.json').mkdir(parents=True)
    with pytest.raises(InputError, match=r'^out: cannot be written .*; choose another --out$'):
        write_folder(FOUND, None, 'out')
    with pytest.raises(InputError, match=r'^log/scores\.json: cannot be written .*; choose another --out$'):
        write_scores(FOUND, 'log/scores.json')


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
