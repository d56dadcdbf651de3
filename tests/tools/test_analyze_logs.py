"""tools/analysis_tools/analyze_logs.py on logs as MMEngine writes them."""

import json
import subprocess
import sys

import cv2
import pytest

from tests.helpers.tools import REPOSITORY, main_of


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A work folder: two starts, the second from step 30 on."""
    monkeypatch.chdir(tmp_path)
    for start, steps in (('20260101_000000', range(10, 60, 10)), ('20260101_000100', range(30, 60, 10))):
        file = tmp_path / 'run' / start / 'vis_data' / 'scalars.json'
        file.parent.mkdir(parents=True)
        entries = [
            {'lr': 0.1, 'loss': 9 / step, 'time': 0.5, 'data_time': 0.1, 'iter': step, 'step': step} for step in steps
        ]
        file.write_text(''.join(json.dumps(entry) + '\n' for entry in entries))
    return 'run'


def analyze(*arguments):
    return main_of('analysis_tools/analyze_logs')([*map(str, arguments)])


@pytest.mark.slow
def test_curves_by_the_command_line(run, tmp_path):
    command = [sys.executable, REPOSITORY / 'tools' / 'analysis_tools' / 'analyze_logs.py', 'plot_curve', run]
    done = subprocess.run(
        [*map(str, command), '--keys', 'loss', 'lr', '--out', 'new/curves.png'],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert (done.returncode, done.stdout) == (0, 'wrote new/curves.png\n'), done.stderr
    assert cv2.imread(str(tmp_path / 'new' / 'curves.png')).std() > 5


def test_times(run, capsys):
    assert analyze('cal_train_time', run, f'{run}/20260101_000000/vis_data/scalars.json') == 0
    first, spread, second, _ = capsys.readouterr().out.splitlines()
    assert first == 'run: 0.5000 s/iter, 0.1000 of it waiting for data'
    assert spread == '  standard deviation 0.0000 over 3 log entries'
    assert second.startswith('run/20260101_000000/vis_data/scalars.json: 0.5000')


@pytest.mark.parametrize(
    ('arguments', 'text'),
    [
        (['plot_curve', 'gone'], 'gone: holds no training log'),
        (['cal_train_time', 'gone'], 'gone: holds no training log'),
        (['plot_curve', 'run', '--keys', 'loss', 'acc'], "run: the log has no 'acc'; it has lr, loss, time, data_time"),
        (['plot_curve', 'run', '--legend', 'a', 'b'], '--legend has 2 names for 1 runs'),
        (['plot_curve', 'run', '--out', 'run'], 'run: picture cannot be written'),
        (['plot_curve', 'empty.json'], 'empty.json: the log is empty'),
        (['cal_train_time', 'empty.json'], 'empty.json: the log has no times'),
    ],
)
def test_bad_input_in_one_line(run, capsys, tmp_path, arguments, text):
    (tmp_path / 'empty.json').touch()
    assert analyze(*arguments) == 2
    said = capsys.readouterr().err
    assert said.startswith('error: ')
    assert said.count('\n') == 1
    assert text in said
