from dataclasses import replace

import pytest

from projects.false import InputError
from projects.false.reports.curves import loss_curves


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
