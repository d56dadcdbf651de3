"""python -m benchmarks.scaling, small, with both ways of starting."""

import sys
from pathlib import Path

import pytest

from benchmarks.scaling import command, main

SMALL = ['--global-batch', '4', '--steps', '6', '--rounds', '1', '--size', '32', '--cfg-options']


def test_sides_are_what_a_user_types():
    one, two = (command(Path('c.py'), processes, {'a.b': 3}, Path('w')) for processes in (1, 2))
    assert one[:1] == [sys.executable]
    assert one[1].endswith('tools/train.py')
    assert one[2:] == ['c.py', '--work-dir', 'w', '--cfg-options', 'a.b=3']
    assert two[1].endswith('tools/dist_train.sh')
    assert two[2:4] == ['c.py', '2']


@pytest.mark.slow
def test_table_has_a_row_per_side(capsys):
    main([*SMALL, 'train_dataloader.num_workers=0', 'train_dataloader.persistent_workers=False'])
    text = capsys.readouterr().out
    assert '1.00x' in text
    assert 'global batch 4, 1 x 6 steps' in text
    assert [line.split()[1] for line in text.splitlines() if line.startswith('│')] == ['1', '2']


def test_batch_that_cannot_be_shared():
    with pytest.raises(SystemExit):
        main(['--global-batch', '3'])


@pytest.mark.slow
def test_failing_side_shows_its_error():
    with pytest.raises(SystemExit, match=r'(?s)1 processes ended with status 2:\n.*error: gone\.py: no such config'):
        main([*SMALL, '--config', 'gone.py', '--processes', '1'])
