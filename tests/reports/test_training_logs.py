import json

import numpy as np
import pytest

from projects.false import InputError
from projects.false.reports.training_logs import logged_curve, read_loss_curve, read_training_log, training_time
from tests.helpers.finished_quickstart import write_log


def test_losses_without_validation(tmp_path):
    curve = read_loss_curve(write_log(tmp_path, {5: 3.0, 10: 2.0}, step=10, mIoU=40.0))
    assert curve.steps.tolist() == [5, 10]
    assert curve.values.tolist() == [3.0, 2.0]


def test_one_file(tmp_path):
    write_log(tmp_path, {5: 3.0}, start='one')
    assert read_loss_curve(tmp_path / 'one' / 'vis_data' / 'scalars.json').steps.tolist() == [5]


def test_a_later_start_takes_over(tmp_path):
    write_log(tmp_path, {10: 3.0, 20: 2.0, 30: 9.0, 35: 9.0}, start='20260101_000000')
    write_log(tmp_path, {30: 1.5, 40: 1.0}, start='20260101_000100')
    curve = read_loss_curve(tmp_path)
    assert curve.steps.tolist() == [10, 20, 30, 40]
    assert curve.values.tolist() == [3.0, 2.0, 1.5, 1.0]


def test_a_start_that_logged_nothing_changes_nothing(tmp_path):
    write_log(tmp_path, {10: 3.0}, start='20260101_000000')
    write_log(tmp_path, {}, start='20260101_000100')
    assert read_loss_curve(tmp_path).values.tolist() == [3.0]


def test_an_unfinished_last_line_is_dropped(tmp_path):
    file = write_log(tmp_path, {10: 3.0}, start='a') / 'a' / 'vis_data' / 'scalars.json'
    file.write_text(file.read_text() + '{"loss": 2.0, "st')
    assert read_loss_curve(tmp_path).steps.tolist() == [10]


def test_divergence_stays_visible(tmp_path):
    curve = read_loss_curve(write_log(tmp_path, {10: 3.0, 20: float('nan')}))
    assert np.isnan(curve.values[1])


def test_steps_by_iteration(tmp_path):
    file = tmp_path / 'scalars.json'
    file.write_text('{"loss": 2.0, "iter": 7}\n\n')
    assert read_loss_curve(file).steps.tolist() == [7]


def test_no_log(tmp_path):
    with pytest.raises(InputError, match=r'holds no training log.*give its work folder'):
        read_loss_curve(tmp_path)
    with pytest.raises(InputError, match='gone: holds no training log'):
        read_loss_curve(tmp_path / 'gone')


@pytest.mark.parametrize('line', ['{"loss": 1.0', '[1]x', '{"loss": 1.0}', '{"loss": null, "step": 1}', '3'])
def test_a_damaged_line(tmp_path, line):
    file = tmp_path / 'scalars.json'
    file.write_text(f'{{"loss": 2.0, "step": 1}}\n{line}\n')
    with pytest.raises(InputError, match='line 2: not a log entry'):
        read_loss_curve(file)


def test_no_loss(tmp_path):
    with pytest.raises(InputError, match='no finite loss'):
        read_loss_curve(write_log(tmp_path, {1: float('nan')}))


def test_everything_that_was_logged(tmp_path):
    write_log(tmp_path, {10: 3.0, 20: 2.0}, start='20260101_000000', step=20, mIoU=40.0, time=9.0)
    write_log(tmp_path, {20: 1.5, 30: 1.0}, start='20260101_000100', step=30, mIoU=50.0, time=9.0)
    log = read_training_log(tmp_path)
    assert {step: entry['lr'] for step, entry in log.training.items()} == {10: 1e-3, 20: 1e-3, 30: 1e-3}
    assert all('time' not in entry for entry in log.training.values())
    assert {step: entry['mIoU'] for step, entry in log.evaluation.items()} == {30: 50.0}
    assert log.starts == (10, 20)


def test_a_start_that_was_overtaken_is_no_start_any_more(tmp_path):
    for start, steps in (('a', (10, 20)), ('b', (30, 40)), ('c', (20, 30))):
        write_log(tmp_path, dict.fromkeys(steps, 1.0), start=start)
    assert read_training_log(tmp_path).starts == (10, 20)


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


def test_values_of_training_and_of_validation(tmp_path):
    log = read_training_log(write_log(tmp_path, {5: 3.0, 10: 2.0}, step=10, mIoU=40.0))
    assert logged_curve(log, 'lr', 'run').values.tolist() == [1e-3, 1e-3]
    assert logged_curve(log, 'loss', 'run').steps.tolist() == [5, 10]
    assert logged_curve(log, 'mIoU', 'run').values.tolist() == [40.0]


def test_an_unknown_value_names_the_known_ones(tmp_path):
    log = read_training_log(write_log(tmp_path, {5: 3.0}, step=5, mIoU=40.0))
    with pytest.raises(InputError, match=r"^run: the log has no 'acc'; it has lr, loss, epoch, mIoU$"):
        logged_curve(log, 'acc', 'run')


def test_an_empty_log(tmp_path):
    with pytest.raises(InputError, match='run: the log is empty'):
        logged_curve(read_training_log(write_log(tmp_path, {})), 'loss', 'run')
