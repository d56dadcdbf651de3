import json
import sys
import time

import pytest

from projects.false import InputError
from projects.false.experiments import steps
from projects.false.experiments.steps import Step, run_steps, share_done, share_out

TWO = [{'OMP_NUM_THREADS': '1'}] * 2


def step(folder, name='count', code=''):
    script = f'open({str(folder / name)!r}, "a").write("x"); {code}'
    return Step(name, (sys.executable, '-c', script))


def test_done_steps_are_skipped(tmp_path):
    for _ in range(2):
        run_steps([step(tmp_path), step(tmp_path, 'other')], tmp_path)
    assert (tmp_path / 'count').read_text() == (tmp_path / 'other').read_text() == 'x'


def test_a_failed_step_is_reported_and_run_again(tmp_path):
    with pytest.raises(InputError, match=r"step 'count' ended with status 3: out of luck .*count\.log"):
        run_steps([step(tmp_path, code='print("out of luck"); raise SystemExit(3)')], tmp_path)
    run_steps([step(tmp_path)], tmp_path)
    assert (tmp_path / 'count').read_text() == 'xx'


def test_resume_arguments_are_asked_when_the_step_starts(tmp_path):
    code = f'import sys; open({str(tmp_path / "arguments")!r}, "w").write(" ".join(sys.argv[1:]))'
    made = Step('resumed', (sys.executable, '-c', code), resume=lambda: ['--resume'])
    run_steps([made], tmp_path)
    assert (tmp_path / 'arguments').read_text() == '--resume'
    assert json.loads((tmp_path / 'logs' / 'resumed.done').read_text())['seconds'] >= 0


def test_steps_run_together_and_fail_together(tmp_path):
    waits = f'import time, os; [time.sleep(0.05) for _ in range(400) if not os.path.exists({str(tmp_path / "b")!r})]'
    run_steps([step(tmp_path, 'a', waits), step(tmp_path, 'b')], tmp_path, TWO)  # a ends because b has begun
    start = time.monotonic()
    group = [step(tmp_path, 'slow', 'import time; time.sleep(100)'), step(tmp_path, 'broken', '1 / 0')]
    with pytest.raises(InputError, match=r"step 'broken' ended with status 1: ZeroDivisionError"):
        run_steps(group, tmp_path, TWO)
    assert time.monotonic() - start < 50
    assert not (tmp_path / 'logs' / 'slow.done').exists()


@pytest.mark.parametrize(
    ('line', 'epochs', 'share'),
    [
        ('INFO - Epoch(train)  [3][10/20]  lr: 1', 5, 0.5),
        ('INFO - Iter(train) [ 50/200]  lr: 1', None, 0.25),
        ('INFO - Epoch(test) [ 5/10]', None, 0.5),
        ('INFO - Saving checkpoint', 5, None),
        ('INFO - Iter(train) [ 50/200]', 5, None),
    ],
)
def test_progress_is_read_off_the_log(line, epochs, share):
    assert share_done(line, epochs) == share


@pytest.mark.parametrize(
    ('jobs', 'gpus', 'cores', 'slots'),
    [
        (None, (), 2, [{'OMP_NUM_THREADS': '1'}] * 2),
        (1, (), 8, [{'OMP_NUM_THREADS': '8'}]),
        (3, (), 8, [{'OMP_NUM_THREADS': '2'}] * 3),
        (4, (), 2, [{'OMP_NUM_THREADS': '1'}] * 4),
        (None, ('2', '5'), 8, [{'CUDA_VISIBLE_DEVICES': '2'}, {'CUDA_VISIBLE_DEVICES': '5'}]),
        (3, ('2', '5'), 8, [{'CUDA_VISIBLE_DEVICES': name} for name in '252']),
    ],
)
def test_jobs_share_the_machine(jobs, gpus, cores, slots):
    assert share_out(jobs, gpus, cores) == slots


@pytest.mark.parametrize(('given', 'threads'), [('3', '3'), ('', None), ('four', None), (None, None)])
def test_a_job_has_the_threads_that_the_user_sets(monkeypatch, given, threads):
    monkeypatch.setattr(steps.torch.cuda, 'device_count', lambda: 0)
    monkeypatch.setattr(steps, 'count_cores', lambda: 8)
    monkeypatch.delenv('OMP_NUM_THREADS', raising=False)
    if given is not None:
        monkeypatch.setenv('OMP_NUM_THREADS', given)
    assert steps.job_slots(1) == [{'OMP_NUM_THREADS': threads or '8'}]
    assert steps.job_slots(2) == [{'OMP_NUM_THREADS': threads or '4'}] * 2
    assert steps.job_slots() == ([{'OMP_NUM_THREADS': '3'}] * 2 if threads else [{'OMP_NUM_THREADS': '1'}] * 8)


def test_a_job_gets_its_share(tmp_path):
    code = f'import os; open({str(tmp_path / "told")!r}, "a").write(os.environ["OMP_NUM_THREADS"] + " ")'
    three = [Step(name, (sys.executable, '-c', code)) for name in 'abc']
    run_steps(three, tmp_path, [{'OMP_NUM_THREADS': '7'}])
    assert (tmp_path / 'told').read_text() == '7 7 7 '


def test_a_need_that_nobody_meets(tmp_path):
    with pytest.raises(ValueError, match=r'needs .*none.*which no step provides'):
        run_steps([Step('a', (sys.executable, '-c', ''), needs=('none',))], tmp_path)
