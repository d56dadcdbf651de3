"""python -m benchmarks.packed, small, and without the processes that keep the forms apart."""

import json
import sys

import pytest

from benchmarks import packed as benchmark
from benchmarks.packed import main, make_sparse, measure

pytestmark = pytest.mark.skipif(not sys.platform.startswith('linux'), reason='reads memory from /proc')


def test_table_has_both_forms(capsys, monkeypatch):
    monkeypatch.setattr(benchmark, 'side', measure)
    main(['--patches', '20', '--size', '8', '--open-only'])
    text = capsys.readouterr().out
    assert 'files, by list' in text
    assert 'packed, by list' in text
    assert '20 patches of 8 px' in text
    (opened,) = (line for line in text.splitlines() if 'open, s' in line)
    assert len(opened.strip('│ ').split('│')) == 5


def test_sparse_patches_are_read_like_others(tmp_path, capsys):
    make_sparse(tmp_path, 300, 8)
    main(['--measure', json.dumps([str(tmp_path), True, 'splits/pretrain.txt', True])])
    found = json.loads(capsys.readouterr().out)
    assert found['checksum'] == 0
    assert found['pickle'] < 0.01
    assert len(found['workers']) == 2
    for resident, private in [found['main'], *found['workers']]:
        assert 0 < private < resident
