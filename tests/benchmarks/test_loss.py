"""python -m benchmarks.loss, small. Results are checked, times are not."""

import json
import os
import subprocess
import sys

import pytest
import torch

from benchmarks import loss as benchmark
from benchmarks.losses import sides
from benchmarks.losses.embeddings import REGIMES, TEMPERATURE, determined_count, make_embeddings
from benchmarks.losses.goals import judge
from benchmarks.losses.rendering import released_row_by_row
from benchmarks.losses.timing import interleaved, quartiles
from projects.false import FALSELoss, NTXentLoss
from projects.false.losses import DETERMINATIONS
from tests.helpers.tools import REPOSITORY

GOLDEN = json.loads((REPOSITORY / 'tests' / 'data' / 'false_loss_released.json').read_text())['cases']
SMALL = ['--rows', '16', '32', '--repeats', '2', '--threads', '1', '--scaling-rows', '16', '32', '--device', 'cpu']


@pytest.mark.parametrize('case', GOLDEN, ids=[case['name'] for case in GOLDEN])
def test_rendering_gives_the_golden_values(case):
    rows = torch.tensor(case['embeddings'], requires_grad=True)
    value = released_row_by_row(rows, case['temperature'], case['confidence_weight'], case['positive_threshold'])
    value.backward()
    assert value.item() == pytest.approx(case['loss'], abs=1e-5)
    torch.testing.assert_close(rows.grad, torch.tensor(case['grad']), atol=1e-5, rtol=0)


def test_golden_file_has_both_regimes():
    assert {case['regime'] for case in GOLDEN} >= set(REGIMES)


@pytest.mark.parametrize('regime', REGIMES)
@pytest.mark.parametrize('rows', [16, 64, 256])
def test_embeddings_hit_their_regime(regime, rows):
    batch = make_embeddings(regime, rows)
    half = rows // 2
    determined = FALSELoss(TEMPERATURE, 1.0, 0.9, 'released').determined(batch.rows[:half], batch.rows[half:])
    assert int(determined.sum()) == batch.pairs
    assert batch.pairs == 1 if regime == 'nearest' else batch.pairs == rows * (rows - 1) // 2 - half


def test_embeddings_that_miss_their_regime_are_refused(monkeypatch):
    monkeypatch.setattr('benchmarks.losses.embeddings.determined_count', lambda values: (0, 7000))
    with pytest.raises(RuntimeError, match='sentinel is not hit at 16 rows: 7000 pairs'):
        make_embeddings('sentinel', 16)


def test_counting_does_not_depend_on_blocks(monkeypatch):
    values = [make_embeddings(regime, 64).rows for regime in REGIMES]
    whole = [determined_count(rows) for rows in values]
    monkeypatch.setattr('benchmarks.losses.embeddings._BLOCK', 7)
    assert [determined_count(rows) for rows in values] == whole


@pytest.mark.parametrize('regime', REGIMES)
def test_rendering_computes_what_is_timed_beside_it(regime):
    batch = make_embeddings(regime, 32)
    by_name = {side.name: side.prepare for side in sides.all_sides()}
    released = by_name['released'](batch)().item()
    assert by_name[sides.RENDERING](batch)().item() == pytest.approx(released, abs=1e-5)


@pytest.mark.parametrize(
    ('name', 'module'),
    [(sides.MMPRETRAIN, 'mmpretrain'), (sides.LIGHTLY, 'lightly'), (sides.METRIC_LEARNING, 'pytorch_metric_learning')],
)
def test_libraries_compute_nt_xent(name, module):
    pytest.importorskip(module, reason='pip install -r requirements-bench.txt')
    batch = make_embeddings('nearest', 32)
    loss = next(side for side in sides.all_sides() if side.name == name).prepare(batch)
    gradient = torch.autograd.grad(loss(), batch.rows)[0]
    expected = NTXentLoss(TEMPERATURE)(batch.rows[:16], batch.rows[16:])
    torch.testing.assert_close(loss(), expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(gradient, torch.autograd.grad(expected, batch.rows)[0], atol=1e-5, rtol=0)


def test_every_determination_is_timed():
    names = [side.name for side in sides.all_sides() if side.kind == 'determination']
    assert sorted(names) == sorted(set(DETERMINATIONS.module_dict) - {'in_turn'})
    assert names[:2] == ['anchor_nearest', 'released']


def test_interleaved_measures_in_turns_and_stops_at_the_budget():
    calls, rows = [], torch.ones(2, requires_grad=True)

    def side(name):
        def loss():
            calls.append(name)
            return rows.sum()

        return loss

    taken = interleaved({'a': (side('a'), rows), 'b': (side('b'), rows)}, 3)
    assert calls == ['a', 'b'] * 4
    assert {name: len(seconds) for name, seconds in taken.items()} == {'a': 3, 'b': 3}
    taken = interleaved({'a': (side('a'), rows)}, 3, budget=0, clock='cpu')
    assert len(taken['a']) == 1
    assert quartiles([1.0, 2.0, 3.0]) == (1.5, 2.0, 2.5)


def report(**seconds):
    kinds = {'anchor_nearest': 'determination', 'released': 'determination', sides.RENDERING: 'rendering'}
    times = [
        dict(side=name, kind=kinds.get(name, 'library'), regime=regime, rows=512, seconds=[value])
        for regime in REGIMES
        for name, value in seconds.items()
    ]
    scaling = [dict(form='chunked', rows=rows, seconds=[rows**2 * value]) for rows, value in ((1024, 1), (16384, 1.25))]
    return dict(times=times, scaling=scaling, memory=dict(rows=16384, dense=8000, chunked=1001))


def test_goals_are_judged():
    measured = report(
        **{'anchor_nearest': 1, 'released': 3, sides.RENDERING: 10, sides.LIGHTLY: 2, sides.MMPRETRAIN: 4}
    )
    nearest, sentinel, fair, library, default, chunked, _, memory = judge(measured)
    assert (nearest.met, nearest.measured) == (False, 'anchor_nearest 10.0, released 3.3')
    assert (sentinel.met, fair.met, memory.met) == (False, True, False)
    assert library.met is False
    assert library.measured.startswith('slower: released, nearest 1.50; released, sentinel 1.50 (without (d))')
    assert default.met is None
    assert chunked.met is True
    empty = judge(dict(times=[], scaling=[], memory={}))
    assert {goal.met for goal in empty} == {None}


@pytest.mark.slow
def test_command_line(tmp_path):
    out = [argument for suffix in ('json', 'md') for argument in ('--out', str(tmp_path / 'new' / f'report.{suffix}'))]
    done = subprocess.run(
        [sys.executable, '-m', 'benchmarks.loss', *SMALL, '--memory-rows', '64', *out],
        cwd=REPOSITORY, env={**os.environ, 'PYTHONWARNINGS': 'ignore'}, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    table = (tmp_path / 'new' / 'report.md').read_text()
    assert table in done.stdout
    for side in sides.all_sides():
        assert f'| {side.name} |' in table
    measured = json.loads((tmp_path / 'new' / 'report.json').read_text())
    for entry in measured['times']:
        assert len(entry['seconds']) == 2 or 'is not installed' in entry['note']
    assert {entry['form'] for entry in measured['scaling']} == {'default', 'chunked', 'dense'}
    assert set(measured['memory']) >= {'default', 'chunked', 'dense'}
    assert measured['goals']


def test_a_library_that_is_absent_is_named(monkeypatch, capsys):
    for name in ('lightly', 'lightly.loss', 'pytorch_metric_learning', 'pytorch_metric_learning.losses'):
        monkeypatch.setitem(sys.modules, name, None)
    benchmark.main([*SMALL, '--scaling-rows', '--memory-rows', '0'])
    table = capsys.readouterr().out
    assert f'| {sides.LIGHTLY} | – | – |' in table
    assert f'- {sides.LIGHTLY}: lightly is not installed: pip install -r requirements-bench.txt' in table
    assert f'- {sides.METRIC_LEARNING}: pytorch-metric-learning is not installed' in table


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [(['--rows', '7'], 'an even number, got 7'), (['--out', 'report.txt'], '--out takes FILE.json or FILE.md')],
)
def test_wrong_arguments(arguments, message, capsys):
    with pytest.raises(SystemExit) as stopped:
        benchmark.parse(arguments)
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err
