from dataclasses import replace

import cv2
import numpy as np
import pytest

from projects.false import InputError
from projects.false.reports.curves import loss_curves, plot_curves
from projects.false.reports.training_logs import LoggedCurve


def colored(picture):
    """Count the blue and the orange pixels, matplotlib's first two colours."""
    blue, orange = np.array([180, 119, 31]), np.array([14, 127, 255])  # BGR
    return tuple(int((np.abs(picture.astype(int) - color).max(-1) < 30).sum()) for color in (blue, orange))


def test_runs_have_colors_and_values_panels(tmp_path):
    line = LoggedCurve(np.arange(9), np.arange(9.0) ** 2)
    other, point = LoggedCurve(line.steps, 60 - line.values), LoggedCurve(np.array([8]), np.array([50.0]))
    heights = []
    for curves, keys in (([[line]], ['loss']), ([[line, point], [other, point]], ['loss', 'mIoU'])):
        out = tmp_path / 'new' / f'{len(curves)}.png'
        plot_curves(curves, [f'run {number}' for number in range(len(curves))], keys, out)
        picture = cv2.imread(str(out))
        heights.append(picture.shape[0])
        blue, orange = colored(picture)
        assert blue > 500
        assert (orange > 500) == (len(curves) == 2)
    assert heights[1] > 1.5 * heights[0]


def test_a_run_whose_name_begins_with_an_underscore_is_in_the_legend(tmp_path):
    curves = [[LoggedCurve(np.arange(9), np.full(9, value))] for value in (1.0, 2.0)]
    found = []
    for name in ('_old', 'xold'):
        plot_curves(curves, [name, 'new'], ['loss'], tmp_path / 'out.png')
        found.append(colored(cv2.imread(str(tmp_path / 'out.png'))[:80])[0])
    assert found[0] == found[1] > 20


@pytest.mark.parametrize(('name', 'reason'), [('a.foo', 'foo'), ('folder', 'directory'), ('file/b.png', 'exists')])
def test_a_picture_that_cannot_be_written(tmp_path, name, reason):
    (tmp_path / 'folder').mkdir()
    (tmp_path / 'file').touch()
    with pytest.raises(InputError, match=rf'{name}: picture cannot be written \(.*{reason}.*; choose another --out'):
        plot_curves([[LoggedCurve(np.arange(2), np.arange(2.0))]], ['run'], ['loss'], tmp_path / name)


def test_a_chart_for_every_pretraining_and_one_for_all_finetunings(finished):
    text = loss_curves(finished.runs)
    assert text.count('role="img"') == 3
    assert 'Pretraining: FALSE, loss by iteration: FALSE from 5.1 at step 5 to 4.2 at step 10' in text
    assert 'SimCLR from 2.5 at step 10 to 1.25 at step 30; random from' in text
    assert 'different functions' in text


def test_one_pretraining_is_compared_to_nothing(finished):
    assert 'different functions' not in loss_curves(finished.runs[:1])


def test_the_legend_names_only_runs_with_a_log(finished):
    runs = [finished.runs[0], replace(finished.runs[1], training_log=None, pretraining_log=None), finished.runs[2]]
    text = loss_curves(runs)
    assert 'SimCLR' not in text
    assert text.count('<li>') == 2


def test_no_logs(finished):
    assert loss_curves([replace(run, training_log=None, pretraining_log=None) for run in finished.runs]) == ''


def test_a_missing_log(finished, tmp_path):
    with pytest.raises(InputError, match='gone: holds no training log'):
        loss_curves([replace(finished.runs[0], pretraining_log=tmp_path / 'gone')])
