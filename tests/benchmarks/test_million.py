"""python -m benchmarks.million, small, and without processes of its own."""

import sys

import pytest

from benchmarks import million
from benchmarks.million import growth, main, measure

pytestmark = pytest.mark.skipif(not sys.platform.startswith('linux'), reason='reads memory from /proc')


def test_every_step_works_and_finds_what_was_planted(capsys, monkeypatch):
    monkeypatch.setattr(million, 'in_a_process', measure)
    monkeypatch.setattr(million, 'PLANTED', 4)
    main(['--patches', '40', '80'])
    text = capsys.readouterr().out
    rows = [[cell.strip() for cell in line.split('│')[1:-1]] for line in text.splitlines() if line.startswith('│')]
    found = {(row[0], row[1]): row[-1] for row in rows}
    assert found['audit', '40'] == '2 near duplicates'
    assert found['audit', '80'] == '4 near duplicates'
    assert found['one epoch sampled', '80'] == '64 indices'
    assert found['open', '40'] == '32 patches'
    assert '80 patches: ' in text
    assert '4 near duplicates planted' in text


def test_growth_is_an_exponent():
    assert growth(1.0, 2.0, (10, 20)) == 1
    assert growth(1.0, 4.0, (10, 20)) == 2
    assert growth(0.01, 4.0, (10, 20)) is None
