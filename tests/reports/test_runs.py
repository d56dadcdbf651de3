from dataclasses import replace

import numpy as np
import pytest

from projects.false import InputError
from projects.false.reports.score_tables import check_runs


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
