"""python -m benchmarks.gpu at tiny size on the CPU: every part runs, and one that fails hides no other."""

import json
import subprocess
import sys
import zipfile

import pytest

from benchmarks.device import right
from benchmarks.device.fast import of_trace
from benchmarks.device.made import row
from benchmarks.gpu import PARTS, main, markdown, measure, parse
from benchmarks.wheels import canonical, needs, pinned
from tests.helpers.tools import REPOSITORY


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp('gpu')


def test_goals():
    assert row('a', 0.5, '{:.0%}', least=0.9) == ('a', '50%', 0.5, 'at least 90%', False)
    assert row('a', 1e-5, most=1e-4)[2:] == (1e-5, 'at most 0.0001', True)
    assert row('a', float('nan'), most=1e-4).met is False
    assert row('a', 3)[3:] == ('', None)


@pytest.mark.parametrize('name', ['losses', 'views', 'loss speed'])
def test_parts_run(name, folder):
    found = list(measure(name, 'tiny', folder, 1))
    assert len(found) >= 5
    assert [line.what for line in found if line.met is False] == []


@pytest.mark.slow
@pytest.mark.parametrize('name', ['training', 'speed', 'map', 'segmentation speed', 'waits'])
def test_parts_that_train_run(name, folder, monkeypatch):
    monkeypatch.setattr(right, 'RECIPES', ('false_mocov2_r50_potsdam', 'linear_r50_potsdam'))
    found = list(measure(name, 'tiny', folder, 1))
    assert found
    if name in ('training', 'map'):  # how fast it is here means nothing
        assert [line for line in found if not line.met] == []


def test_a_part_that_fails_hides_no_other(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr('benchmarks.gpu.facts', lambda: {'processor': 'mine'})
    monkeypatch.setitem(PARTS, 'gone', PARTS['views']._replace(module='gone'))
    monkeypatch.setitem(PARTS, 'hangs', PARTS['views']._replace(seconds=1))
    answers = {'gone': 'raise SystemExit("no module\\nlast words")', 'hangs': 'import time; time.sleep(60)'}
    run = subprocess.Popen

    def instead(command, **options):
        name = command[command.index('--part') + 1]
        rows = command[command.index('--rows') + 1]
        line = json.dumps(row(f'{name} began', 1.0)._asdict())
        code = f'print({line!r}, file=open({rows!r}, "w")); {answers.get(name, "pass")}'
        return run([sys.executable, '-c', code.replace('; ', '\n')], **options)

    monkeypatch.setattr('benchmarks.gpu.subprocess.Popen', instead)
    names = ['gone', 'hangs', 'views']
    monkeypatch.setattr('benchmarks.gpu.parse', lambda _: options(tmp_path, names, minutes=1))
    assert main() == 1
    report = json.loads((tmp_path / 'report.json').read_text())
    ends = {part['part']: part['end'] for part in report['parts']}
    assert ends == {'gone': 'failed: last words', 'hangs': 'stopped after 0 s', 'views': 'done'}
    assert [len(part['rows']) for part in report['parts']] == [1, 1, 1]
    table = (tmp_path / 'report.md').read_text()
    assert table in capsys.readouterr().out
    assert '| gone | the part itself | failed: last words | | NOT DONE |' in table
    assert '| hangs | hangs began | 1 |' in table


def options(out, names, minutes):
    made = parse(['--out', str(out), '--minutes', str(minutes)])
    made.parts = names
    return made


def test_no_time_left(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr('benchmarks.gpu.facts', dict)
    assert main(['--out', str(tmp_path), '--minutes', '0.01', '--parts', 'views']) == 1
    assert 'not started: no time left' in capsys.readouterr().out
    with pytest.raises(SystemExit):
        parse(['--minutes', '0'])


def test_all_shares_fit_into_the_time():
    assert sum(part.seconds for part in PARTS.values()) <= 540  # some end early
    assert {part.question for part in PARTS.values()} == {'right', 'fast', 'what waits'}
    assert 'NOT DONE' not in markdown(dict(machine={}, size='tiny', seconds=0, parts=[]))


def test_a_trace_of_a_gpu_is_read():
    def event(name, start, length, kind='kernel'):
        return dict(name=name, ts=start, dur=length, ph='X', cat=kind)

    waits = [event('cudaStreamSynchronize', 10 * n, 1, 'cuda_runtime') for n in range(6)]
    kernels = [event('conv', 0, 3000), event('add', 3000, 1000), event('conv', 6000, 4000), event('add', 6500, 10)]
    found = {line.what: line for line in of_trace([*waits, *kernels, {'name': 'other'}], 'mine', 2)}
    assert (found['mine: waits per step'].value, found['mine: waits per step'].met) == (2.0, False)
    assert found['mine: device at work'].found == '80.0%'
    assert found['mine: largest gaps in ms'].found.startswith('2.0, 0.0')
    assert (found['mine: conv'].value, found['mine: kernels per step'].value) == (3.5, 2)


def test_needs_of_a_wheel(tmp_path):
    wheel = tmp_path / 'mine-1-py3-none-any.whl'
    lines = ['Name: mine', 'Requires-Dist: Py_YAML>=5', "Requires-Dist: more; extra == 'tests'",
             'Requires-Dist: regex; sys_platform == "win32"', 'Requires-Dist: rich (>=13)']  # fmt: skip
    with zipfile.ZipFile(wheel, 'w') as archive:
        archive.writestr('mine-1.dist-info/METADATA', '\n'.join([*lines, '', 'Requires-Dist: of the text']))
    assert needs(wheel) == ['py-yaml', 'rich']
    assert pinned(REPOSITORY / 'constraints.txt')[canonical('onedl_mmcv')]
