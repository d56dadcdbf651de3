"""tools/quickstart.py, small, killed midway and called again."""

import json
import os
import signal
import time

import pytest

from tests.helpers.processes import run_tool, start_python
from tests.helpers.tools import REPOSITORY, main_of

SMALL = ['--tiles', '10', '--val-tiles', '1', '--test-tiles', '1', '--epochs', '1', '--iterations', '2']


def command(*arguments):
    return ['--work-dir', 'quick', *SMALL, *arguments]


@pytest.mark.slow
def test_killed_and_called_again_it_ends_with_the_report(monkeypatch, capsys, tmp_path):
    # A process group of its own, so that the running step dies with it, as in a power cut.
    tool, said = REPOSITORY / 'tools' / 'quickstart.py', tmp_path / 'said.txt'
    with said.open('w') as out:
        first = start_python(tool, *command(), cwd=tmp_path, out=out, err=out, own=True)
    deadline = time.monotonic() + 300
    while '\n[4/15]' not in said.read_text():
        assert time.monotonic() < deadline, said.read_text()
        time.sleep(0.01)
    os.killpg(first.pid, signal.SIGKILL)
    assert first.wait() == -signal.SIGKILL
    folder = tmp_path / 'quick'
    assert not (folder / 'report.html').exists()
    done = run_tool('quickstart', *command(), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count('done before') == 2
    page = (folder / 'report.html').read_text()
    titles = {'ImageNet_chosen': 'ImageNet, patches chosen'}
    for name in ('FALSE', 'SimCLR', 'ImageNet', 'ImageNet_chosen', 'random'):
        scores = json.loads((folder / 'test' / name / 'scores.json').read_text())['scores']
        assert f'{titles.get(name, name)} {scores["mIoU"]:.2f}' in done.stdout
        assert f'{scores["mIoU"]:.1f}' in page
    assert str(folder / 'report.html') in done.stdout
    drawn, chosen = ((folder / f'data/splits/train_{name}.txt').read_text() for name in ('1pct', 'ImageNet_chosen'))
    assert len(drawn.split()) == len(chosen.split()) == 1
    assert 'found groups of patches that look alike' in page

    monkeypatch.chdir(tmp_path)
    assert main_of('quickstart')(command('--seed', '5')) == 2
    assert 'holds a run with other settings' in capsys.readouterr().err


def test_a_folder_with_something_else_is_left_alone(monkeypatch, capsys, tmp_path):
    (tmp_path / 'quick').mkdir()
    (tmp_path / 'quick' / 'mine.txt').write_text('keep')
    monkeypatch.chdir(tmp_path)
    assert main_of('quickstart')(command()) == 2
    assert capsys.readouterr().err.startswith('error: quick: is not empty')
    assert [path.name for path in (tmp_path / 'quick').iterdir()] == ['mine.txt']
