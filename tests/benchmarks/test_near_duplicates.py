"""python -m benchmarks.near_duplicates on a few made patches."""

import re

from benchmarks.near_duplicates import CHANGES, main


def test_table_has_a_row_per_change(patches, capsys):
    main([str(patches('mbrsc', 64)), '--patches', '2'])
    text = capsys.readouterr().out
    assert all(title in text for title in CHANGES)
    assert re.search(r'JPEG, quality 80 +│ 100\.0 % +│ 100\.0 %', text)
    assert 'unchanged, 4 patches for testing among 4 for training: 0 proposed, 0 found' in text
