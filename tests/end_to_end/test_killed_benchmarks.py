"""A killed benchmark goes on to the same table as one that was never killed."""

import json
import re
import sys

import pytest

from tests.helpers.processes import run_python
from tests.helpers.tiny_benchmark import write_spec
from tests.helpers.tools import REPOSITORY

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not sys.platform.startswith('linux'), reason='children are forked on Linux only'),
]


def lines(path):
    """Results without dates and durations."""
    found = [json.loads(line) for line in path.read_text().splitlines()]
    for line in found:
        assert set(line.pop('seconds')) <= {'pretrain', 'finetune', 'test'}
        for key in ('cpu_seconds', 'finished'):
            line.pop(key)
    return sorted(found, key=lambda line: json.dumps(line['run']))


def test_killed_in_every_stage(patches, tmp_path):
    spec = write_spec(tmp_path / 'tiny.py', patches('synthetic', 64, 16))
    command = ['-m', 'tests.end_to_end.killed_benchmarks', spec, tmp_path]
    done = run_python(*command, cwd=REPOSITORY, OMP_NUM_THREADS='1')
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    assert done.stdout.splitlines()[-6:] == [
        'a second runner was refused',
        'killed in pretraining',
        'killed in fine-tuning',
        'killed while writing a result',
        'killed before writing a result',
        'went on to the end',
    ]
    killed, whole = tmp_path / 'killed', tmp_path / 'whole'
    for name in ('table.md', 'table.csv', 'table.json'):
        assert (killed / 'test' / name).read_bytes() == (whole / 'test' / name).read_bytes(), name
    assert lines(killed / 'results.jsonl') == lines(whole / 'results.jsonl')
    assert len(lines(whole / 'results.jsonl')) == 2

    def without_times(folder):
        text = (folder / 'test' / 'report.html').read_text().replace(str(folder), '')
        return re.sub(r'<tr><th scope="row">(time|last run)</th>.*?</tr>', '', text)

    assert without_times(killed) == without_times(whole)
    rows = {row['method']: row for row in json.loads((whole / 'test' / 'table.json').read_text())['rows']}
    scores = {line['run']['method']: line['scores']['mIoU'] for line in lines(whole / 'results.jsonl')}
    for name in ('random', 'simclr'):
        assert rows[name]['mIoU'] == scores[name]
    assert rows['simclr']['difference'] == pytest.approx(scores['simclr'] - scores['random'], abs=1e-4)
    assert rows['simclr']['low'] is None
