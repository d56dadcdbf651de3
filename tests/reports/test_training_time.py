import json

import pytest

from projects.false import InputError
from projects.false.reports.training_logs import read_training_log, training_time


def log(folder, start, times, **more):
    path = folder / start / 'vis_data' / 'scalars.json'
    path.parent.mkdir(parents=True)
    entries = [{'loss': 1.0, 'step': step, 'iter': step, 'time': time} | more for step, time in times.items()]
    path.write_text(''.join(json.dumps(entry) + '\n' for entry in entries))
    return folder


def test_the_first_entry_of_every_start_is_left_out(tmp_path):
    log(tmp_path, 'a', {10: 9.0, 20: 1.0, 30: 3.0}, data_time=0.5)
    log(tmp_path, 'b', {40: 9.0, 50: 5.0}, data_time=0.1)
    run = read_training_log(tmp_path)
    found = training_time(run, 'run')
    assert (found.mean, found.entries, found.epochs) == (3.0, 3, {})
    assert found.spread == pytest.approx((8 / 3) ** 0.5)
    assert found.waiting == pytest.approx(1.1 / 3)
    assert training_time(run, 'run', include_outliers=True).mean == pytest.approx(27 / 5)


def test_a_single_entry_is_better_than_none(tmp_path):
    assert training_time(read_training_log(log(tmp_path, 'a', {10: 9.0})), 'run').mean == 9.0


def test_epochs(tmp_path):
    log(tmp_path, 'a', {1: 9.0, 2: 1.0}, epoch=1)
    log(tmp_path, 'b', {3: 9.0, 4: 2.0, 5: 4.0}, epoch=2)
    assert training_time(read_training_log(tmp_path), 'run').epochs == {1: 1.0, 2: 3.0}


def test_no_times(tmp_path):
    with pytest.raises(InputError, match='run: the log has no times'):
        training_time(read_training_log(log(tmp_path, 'a', {})), 'run')
