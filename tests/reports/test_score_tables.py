import re
from dataclasses import replace

import numpy as np
import pytest

from projects.false import InputError
from projects.false.reports.score_tables import (
    check_runs,
    class_table,
    confusion_table,
    facts_table,
    means_table,
    percent,
    signed,
)


def rows(table):
    """Return the texts of the cells per row of the body."""
    body = re.search('<tbody>(.*)</tbody>', table, re.DOTALL)[1]
    cells = [re.findall(r'<t[hd][^>]*>(.*?)</t[hd]>', row) for row in re.findall('<tr>(.*?)</tr>', body, re.DOTALL)]
    return [[re.sub('<[^>]+>', '', cell).strip() for cell in row] for row in cells]


@pytest.mark.parametrize(('value', 'text'), [(12.345, '12.3'), (-3.21, '−3.2'), (float('nan'), '–'), (100, '100.0')])
def test_percent(value, text):
    assert percent(value) == text


@pytest.mark.parametrize(('value', 'text'), [(1.26, '+1.3'), (-1.26, '−1.3'), (0.01, '±0.0'), (-0.01, '±0.0')])
def test_signed(value, text):
    assert signed(value) == text


def test_means_and_their_differences(finished):
    found = rows(means_table(finished.runs))
    baseline = finished.runs[2]
    for row, run in zip(found[:2], finished.runs, strict=False):
        assert row[0] == run.name
        assert row[1] == f'{run.mean("mIoU"):.1f} {run.mean("mIoU") - baseline.mean("mIoU"):+.1f}'
        assert row[4] == f'{run.mean("kappa"):.1f} {run.mean("kappa") - baseline.mean("kappa"):+.1f}'
    assert found[2][1] == f'{baseline.mean("mIoU"):.1f}'


def test_no_differences_without_random_weights(finished):
    table = means_table(finished.runs[:2])
    assert 'difference' not in table
    assert '<small>' not in table


def test_classes(finished):
    table = class_table(finished.runs, finished.palette)
    found = rows(table)
    assert [row[0] for row in found] == ['road', 'roof &lt;tin&gt; &amp; tile', 'tree', 'never']
    matrix = finished.matrices[0]
    for index in range(3):
        iou = 100 * matrix[index, index] / (matrix[index].sum() + matrix[:, index].sum() - matrix[index, index])
        assert found[index][1] == f'{iou:.1f}'
        assert found[index][4] == f'{100 * matrix[index].sum() / matrix.sum():.1f}'
    assert found[3][1:] == ['–', '–', '–', '0.0']
    assert table.count('<b>') == 3  # FALSE is best in the three classes that occur
    assert f'<b>{finished.runs[0].iou("tree"):.1f}</b>' in table


def test_equal_numbers_are_equally_bold(finished):
    for run, value in zip(finished.runs, (50.04, 49.96, 10.0), strict=True):
        run.scores['scores']['IoU.road'] = value
        run.scores['scores']['IoU.tree'] = 30.0
    table = class_table(finished.runs, finished.palette)
    assert table.count('<b>50.0</b>') == 2
    assert '<b>30.0</b>' not in table


def test_confusion_rows_sum_to_hundred(finished):
    found = rows(confusion_table(finished.runs[2], finished.palette))
    shares = 100 * finished.matrices[2] / finished.matrices[2].sum(1, keepdims=True).clip(1)
    for index in range(3):
        assert [int(cell) for cell in found[index][1:]] == shares[index].round().astype(int).tolist()
        assert sum(map(int, found[index][1:])) == pytest.approx(100, abs=2)
    assert found[3][1:] == ['–'] * 4


def test_an_empty_matrix_is_no_number(finished):
    run = finished.runs[0]
    run.scores['confusion_matrix'] = np.zeros((4, 4), int).tolist()
    assert 'nan' not in confusion_table(run, finished.palette) + class_table([run], finished.palette)


def test_facts_are_escaped():
    assert rows(facts_table({'a < b': 'x & <script>', 'seed': 0})) == [
        ['a &lt; b', 'x &amp; &lt;script&gt;'],
        ['seed', '0'],
    ]


def test_reads_scores(finished):
    run = finished.runs[0]
    assert run.mean('OA') == pytest.approx(100 * np.trace(run.matrix()) / run.matrix().sum(), abs=1e-3)
    assert np.isnan(run.iou('never'))
    assert np.isnan(run.iou('no such class'))
    assert np.array_equal(run.matrix(), finished.matrices[0])
    check_runs(finished.runs, finished.palette.classes)


@pytest.mark.parametrize('key', ['scores', 'classes', 'confusion_matrix'])
def test_a_missing_part(finished, key):
    run = finished.runs[1]
    bad = replace(run, scores={name: value for name, value in run.scores.items() if name != key})
    with pytest.raises(InputError, match=rf"'SimCLR': '{key}' is missing; .*tools/test.py --out"):
        check_runs([finished.runs[0], bad], finished.palette.classes)


def test_a_missing_mean(finished):
    run = finished.runs[0]
    del run.scores['scores']['kappa']
    with pytest.raises(InputError, match="'kappa' is missing"):
        check_runs([run], finished.palette.classes)


def test_other_classes(finished):
    with pytest.raises(InputError, match='but the palette has'):
        check_runs(finished.runs, ('a', 'b'))


def test_other_matrix(finished):
    run = replace(finished.runs[0], scores=finished.runs[0].scores | {'confusion_matrix': [[1]]})
    with pytest.raises(InputError, match=r'shape \(1, 1\)'):
        check_runs([run], finished.palette.classes)


@pytest.mark.parametrize(('count', 'text'), [(0, 'at least one'), (2, 'occurs twice'), (6, 'at most 5')])
def test_bad_numbers_of_runs(finished, count, text):
    with pytest.raises(InputError, match=text):
        check_runs(finished.runs[:1] * count, finished.palette.classes)
