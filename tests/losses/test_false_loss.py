"""The FALSE loss against the released values and against its equations, and its edges."""

import json
import math
from itertools import product

import pytest
import torch
import torch.nn.functional as F

from projects.false import FALSELoss, InputError, NTXentLoss
from projects.false.losses import DETERMINATIONS
from projects.false.losses.determinations.combined import Combined
from tests.helpers import slow_losses as slow
from tests.helpers.loss_cases import (
    IN_BATCH,
    ROW_WISE,
    collapsed_and_separated,
    queue_of,
    slow_pairs,
    some_excluded,
    spec,
    views,
)
from tests.helpers.tools import REPOSITORY

GOLDEN = json.loads((REPOSITORY / 'tests' / 'data' / 'false_loss_released.json').read_text())['cases']


@pytest.mark.parametrize('chunk_size', [None, 3])
@pytest.mark.parametrize('case', GOLDEN, ids=[case['name'] for case in GOLDEN])
def test_released_golden_values(case, chunk_size):
    rows = torch.tensor(case['embeddings'], requires_grad=True)
    n = len(rows) // 2
    loss = FALSELoss(
        case['temperature'],
        case['confidence_weight'],
        case['positive_threshold'],
        'released',
        chunk_size=chunk_size,
    )
    value = loss(rows[:n], rows[n:])
    value.backward()
    assert value.item() == pytest.approx(case['loss'], abs=1e-5)
    torch.testing.assert_close(rows.grad, torch.tensor(case['grad']), atol=1e-5, rtol=0)


@pytest.mark.parametrize('case', GOLDEN, ids=[case['name'] for case in GOLDEN])
def test_released_moves_the_golden_pairs(case):
    rows = torch.tensor(case['embeddings'])
    n = len(rows) // 2
    loss = FALSELoss(case['temperature'], case['confidence_weight'], case['positive_threshold'], 'released')
    moved = loss.determined(rows[:n], rows[n:]).nonzero().tolist()
    assert len(moved) == case['num_moved_pairs']
    if case['moved_pairs'] is not None:
        assert moved == case['moved_pairs']


@pytest.mark.parametrize('case', IN_BATCH)
def test_equals_the_equations(case):
    wrong = []
    for (n, spread), temperature in product([(1, 0.5), (2, 0.5), (7, 0.1), (7, 1.5)], [0.1, 0.5, 2.0]):
        first, second = views(n, spread=spread, seed=n)
        anchors = slow.in_batch(first, second)
        pairs = slow_pairs(case, anchors, temperature)
        for alpha, threshold in ((1.0, 0.9), (0.3, -1.0), (0.9, 0.5)):
            expected = slow.false_loss(anchors, slow.gated(pairs, anchors, threshold), temperature, alpha)
            value = FALSELoss(temperature, alpha, threshold, spec(case))(first, second).item()
            if value != pytest.approx(expected, abs=1e-9):
                wrong.append((n, spread, temperature, alpha, threshold, value, expected))
    assert wrong == []


@pytest.mark.parametrize('case', ROW_WISE)
@pytest.mark.parametrize('exclude', [False, True])
@pytest.mark.parametrize(('alpha', 'threshold'), [(1.0, 0.9), (0.3, -1.0)])
def test_equals_the_equations_with_a_queue(case, exclude, alpha, threshold):
    query, key = views(6, spread=0.3)
    queue, excluded = queue_of(13), some_excluded(6, 13) if exclude else None
    anchors = slow.with_queue(query, key, queue, None if excluded is None else excluded.tolist())
    found = slow.gated(slow_pairs(case, anchors, 0.2), anchors, threshold)
    value = FALSELoss(0.2, alpha, threshold, spec(case))(query, key, queue=queue, excluded=excluded)
    assert value.item() == pytest.approx(slow.false_loss(anchors, found, 0.2, alpha), abs=1e-9)


@pytest.mark.parametrize(
    'determination', ['anchor_nearest', 'released', {'type': 'topk', 'k': 5, 'floor': -1.0}], ids=str
)
@pytest.mark.parametrize('floor', [-1.0, 0.1, 0.6, 1.0])
def test_confidence_that_grows_with_the_pair(determination, floor):
    first, second = views(7, spread=0.8)
    anchors = slow.in_batch(first, second)
    name, arguments = (determination, {}) if isinstance(determination, str) else ('topk', {'k': 5, 'floor': -1.0})
    found = getattr(slow, name)(anchors, 0.5, **arguments)
    value = FALSELoss(0.5, 0.9, -1.0, determination, confidence_floor=floor)(first, second)
    assert value.item() == pytest.approx(slow.false_loss(anchors, found, 0.5, 0.9, floor), abs=1e-9)


def test_confidence_is_a_constant_for_the_gradient():
    first, second = views(5)
    first.requires_grad_()
    loss = FALSELoss(0.5, 0.9, -1.0, {'type': 'topk', 'k': 8, 'floor': -1.0}, confidence_floor=0.1)
    value = loss(first, second)
    rows = F.normalize(torch.cat([first, second]))
    cosines = rows @ rows.T
    e, positive = (cosines / 0.5).exp(), cosines.diagonal(5).repeat(2)[:, None]
    own = torch.eye(10, dtype=torch.bool)
    share = 0.9 * ((cosines - 0.1) / (positive - 0.1)).clamp(0, 1).detach().masked_fill(own | own.roll(5, 0), 0)
    enhanced = (positive / 0.5).exp() + (share * e).sum(1, keepdim=True)
    expected = (e.masked_fill(own, 0).sum(1, keepdim=True) / enhanced).log().mean()
    torch.testing.assert_close(value, expected)
    torch.testing.assert_close(torch.autograd.grad(value, first), torch.autograd.grad(expected, first))


@pytest.mark.parametrize('temperature', [0.1, 0.5])
def test_a_queue_of_the_other_rows_is_a_batch(temperature):
    """Each anchor of a batch, alone with a queue that holds the batch, excluded what is no negative of it."""
    first, second = views(5, spread=0.3)
    rows, n = torch.cat([first, second]), 5
    loss = FALSELoss(temperature, 0.9, 0.5, {'type': 'topk', 'k': 3, 'floor': 0.0})
    excluded = torch.eye(2 * n, dtype=torch.bool)
    excluded |= excluded.roll(n, 0)
    torch.testing.assert_close(loss(rows, rows.roll(n, 0), queue=rows, excluded=excluded), loss(first, second))


@pytest.mark.parametrize('case', IN_BATCH)
def test_alpha_zero_is_nt_xent(case):
    made = [views(9), views(9)]
    values = []
    for (first, second), loss in zip(made, (FALSELoss(0.3, 0.0, -1.0, spec(case)), NTXentLoss(0.3)), strict=True):
        values.append(loss(first.requires_grad_(), second))
        values[-1].backward()
    assert torch.equal(*values)
    assert torch.equal(made[0][0].grad, made[1][0].grad)


@pytest.mark.parametrize('case', IN_BATCH)
def test_loss_falls_with_alpha(case):
    first, second = views(8, spread=0.8)
    values = [FALSELoss(0.5, alpha, -1.0, spec(case))(first, second).item() for alpha in (0, 0.2, 0.5, 0.9, 1)]
    assert values == sorted(values, reverse=True)
    assert values[0] > values[-1]


def test_released_depends_on_order():
    """Only the row with the lower index gets its pair: here it fails the gate, in reversed order the other passes."""
    case = next(case for case in GOLDEN if case['name'] == 'threshold_rejects')
    rows = torch.tensor(case['embeddings'], dtype=torch.float64)
    first, second = rows[:6], rows[6:]
    loss = FALSELoss(case['temperature'], 1.0, case['positive_threshold'], 'released')
    assert abs(loss(first, second) - loss(first.flip(0), second.flip(0))) > 0.05


@pytest.mark.parametrize(
    ('arguments', 'text'),
    [
        ({'temperature': 0}, 'temperature of FALSELoss must be a positive number, got 0'),
        ({'temperature': math.nan}, 'temperature'),
        ({'temperature': 'warm'}, "got 'warm'"),
        ({'confidence_weight': 1.1}, r'confidence_weight \(alpha\) of FALSELoss must be in \[0, 1\], got 1.1'),
        ({'confidence_weight': None}, 'confidence_weight'),
        ({'confidence_floor': 1.5}, r'confidence_floor .* must be in \[-1, 1\], got 1.5'),
        ({'positive_threshold': -1.5}, 'positive_threshold'),
        ({'determination': 'nearest'}, 'choose one of all_of, anchor_nearest'),
        ({'chunk_size': 0}, 'chunk_size of FALSELoss must be an integer of at least 1, got 0'),
    ],
)
def test_arguments_out_of_range(arguments, text):
    with pytest.raises(InputError, match=text):
        FALSELoss(**arguments)


def test_a_positive_at_the_threshold_opens_the_gate():
    rows = torch.eye(4)
    assert FALSELoss(0.5, 1.0, 1.0).determined(rows, rows).sum() == 8


SINGLE = {name: rule for name, rule in sorted(DETERMINATIONS.module_dict.items()) if not issubclass(rule, Combined)}


@pytest.mark.parametrize('name', SINGLE)
def test_nothing_determined(name):
    first, second = views(4)
    known = dict(labels=torch.tensor([0, 1, 0, 1]), evidence=torch.eye(4, dtype=first.dtype)[[0, 1, 0, 1] * 2])
    known |= dict(features=torch.rand(8, 3), place=torch.tensor([[0, 0, 10 * i, 8, 10 * i + 8] for i in range(8)]))
    value = FALSELoss(0.5, 1.0, 1.0, name)(first.requires_grad_(), second, **known)
    value.backward()
    torch.testing.assert_close(value, NTXentLoss(0.5)(first, second))
    assert torch.isfinite(first.grad).all()


@pytest.mark.parametrize(
    'config', ['oracle', {'type': 'topk', 'k': 99, 'floor': -1}, {'type': 'anchor_nearest', 'k': 6}]
)
def test_everything_determined(config):
    first, second = views(4)
    value = FALSELoss(0.5, 1.0, -1.0, config)(first.requires_grad_(), second, labels=torch.zeros(4))
    value.backward()
    assert value.item() == pytest.approx(0, abs=1e-12)
    assert torch.isfinite(first.grad).all()


@pytest.mark.parametrize('name', [name for name, rule in SINGLE.items() if not rule.reads])
@pytest.mark.parametrize('n', [32, 256])
def test_no_default_rewards_collapse(name, n):
    loss = FALSELoss(determination=name)
    collapsed, separated = collapsed_and_separated(n)
    assert loss(collapsed, collapsed) > loss(separated, separated) + 0.1


def test_no_gate_lets_opposite_views_pass_in_spite_of_rounding():
    rows = torch.randn(50, 7, generator=torch.Generator().manual_seed(0))
    loss = FALSELoss(temperature=0.3, positive_threshold=-1.0)
    loss(rows, -0.7 * rows)
    assert loss.seen['anchors_past_gate'] == 1
