"""tools/run_benchmark.py by its command line; tests/end_to_end/test_killed_benchmarks.py runs it to the end."""

import json

import pytest

from tests.helpers.tiny_benchmark import write_spec
from tests.helpers.tools import REPOSITORY, main_of


@pytest.fixture
def call(patches, tmp_path, monkeypatch, capsys):
    """``call(*arguments)`` runs the tiny benchmark in a new work folder; returns exit status, output and errors."""
    monkeypatch.chdir(tmp_path)
    spec = write_spec(tmp_path / 'tiny.py', patches('synthetic', 64, 16))

    def run(*arguments):
        status = main_of('run_benchmark')([str(spec), '--work-dir', 'out', *arguments])
        return (status, *capsys.readouterr())

    return run


def test_a_dry_run_lists_what_would_run(call, tmp_path):
    status, out, _ = call('--dry-run', '--cfg-options', 'seeds=[1,2]', 'draws=[1,2,3]', '--jobs', '3')
    assert status == 0
    assert (
        'tiny: 2 methods, 2 pretrainings on 8 patches, 12 fine-tunings, each tested on 8 patches (test); '
        '0 finished, 3 at a time' in out
    )
    assert sorted(path.name for path in (tmp_path / 'out').iterdir()) == ['.lock']
    assert call('--dry-run', '--cfg-options', 'budget.epochs=3')[0] == 0


@pytest.mark.parametrize(
    ('arguments', 'text'),
    [
        (('--methods', 'false'), '--methods false: no method and no tier of tiny; choose from random, simclr'),
        (('--jobs', '0'), '--jobs is 0; give 1 or more'),
        (('--cfg-options', 'baseline=none'), "baseline 'none' is not a method; choose from random, simclr"),
        (('--part', 'val'), 'val.txt: no such list'),
        (('--report-only',), 'out: no run on the test part is finished; call without --report-only'),
        (('--cfg-options', 'data.root=gone'), 'gone: no such folder; give a folder made by tools/dataset_converters'),
    ],
)
def test_bad_input_is_one_line(call, arguments, text):
    status, _, errors = call(*arguments)
    assert status == 2
    last = errors.strip().splitlines()[-1]
    assert last.startswith('error: ')
    assert text in last


def test_a_second_runner_is_refused(call, tmp_path, holder):
    with holder(tmp_path / 'out') as process:
        status, _, errors = call('--dry-run')
    assert status == 2
    assert f'error: out is being written by process {process.pid}' in errors


def test_results_of_other_settings_are_not_mixed_in(call, tmp_path):
    assert call('--dry-run')[0] == 0
    run = {'protocol': 'upernet', 'fraction': 0.5, 'method': 'random', 'seed': 1, 'draw': 1, 'part': 'test'}
    (tmp_path / 'out' / 'results.jsonl').write_text(json.dumps({'run': run, 'fingerprint': 'of before'}) + '\n')
    status, _, errors = call('--report-only')
    assert status == 2
    assert 'holds scores/test/upernet/50pct/random/seed1_draw1 of other settings or data' in errors


def test_help_names_the_files(capsys):
    with pytest.raises(SystemExit):
        main_of('run_benchmark')(['--help'])
    out = capsys.readouterr().out
    assert 'results.jsonl' in out
    assert (REPOSITORY / 'docs' / 'experiments.md').is_file()
