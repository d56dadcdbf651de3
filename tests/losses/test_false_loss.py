import json
import math
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from projects.false import FALSELoss, InputError, NTXentLoss

GOLDEN = json.loads((Path(__file__).parents[1] / 'data' / 'false_loss_released.json').read_text())['cases']
DETERMINATIONS = ['released', 'anchor_nearest', {'type': 'anchor_nearest', 'k': 3, 'floor': 0.2}]


def slow_anchor_nearest(e, c, i, p, k, floor):
    others = [j for j in range(len(e)) if j not in (i, p) and (floor is None or c[i][j] >= floor)]
    return sorted(others, key=lambda j: abs(e[i][j] - e[i][p]))[:k]


def slow_released(e, n):
    rows = len(e)
    d = [[3.0] * rows for _ in range(rows)]
    for i in range(rows):
        for j in range(i + 1, rows):
            if j != (i + n) % rows:
                d[i][j] = abs(e[i][j] - e[i][(i + n) % rows])
    least = min(map(min, d))
    return [[j for j in range(rows) if d[i][j] == least and j not in (i, (i + n) % rows)] for i in range(rows)]


def slow_loss(view1, view2, temperature, alpha, threshold, determination):
    """The equations of the paper, entry by entry."""
    rows = [row / row.norm() for row in torch.cat([view1, view2])]
    n, total = len(view1), 2 * len(view1)
    c = [[float(rows[i] @ rows[j]) for j in range(total)] for i in range(total)]
    e = [[math.exp(value / temperature) for value in row] for row in c]
    if determination == 'released':
        moved = slow_released(e, n)
    else:
        k, floor = (1, None) if isinstance(determination, str) else (determination['k'], determination['floor'])
        moved = [slow_anchor_nearest(e, c, i, (i + n) % total, k, floor) for i in range(total)]
    losses = []
    for i in range(total):
        p = (i + n) % total
        f = moved[i] if c[i][p] >= threshold else []
        enhanced = alpha * sum(e[i][j] for j in f)
        weakened = (1 - alpha) * sum(e[i][j] for j in f)
        negative = sum(e[i][j] for j in range(total) if j not in (i, p) and j not in f) + weakened
        positive = e[i][p] + enhanced
        losses.append(-math.log(positive / (positive + negative)))
    return sum(losses) / total


def views(n, dimension=5, spread=0.5, seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    first = torch.randn(n, dimension, generator=generator, dtype=dtype)
    return first, first + spread * torch.randn(n, dimension, generator=generator, dtype=dtype)


@pytest.mark.parametrize('case', GOLDEN, ids=[case['name'] for case in GOLDEN])
def test_released_golden_values(case):
    rows = torch.tensor(case['embeddings'], requires_grad=True)
    n = len(rows) // 2
    loss = FALSELoss(case['temperature'], case['confidence_weight'], case['positive_threshold'], 'released')
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


@pytest.mark.parametrize('determination', DETERMINATIONS, ids=str)
@pytest.mark.parametrize('temperature', [0.1, 0.5, 2.0])
@pytest.mark.parametrize(('n', 'spread'), [(1, 0.5), (2, 0.5), (7, 0.1), (7, 1.5)])
@pytest.mark.parametrize(('alpha', 'threshold'), [(1.0, 0.9), (0.3, -1.0), (0.9, 0.5)])
def test_equals_the_equations(determination, temperature, n, spread, alpha, threshold):
    first, second = views(n, spread=spread, seed=n)
    value = FALSELoss(temperature, alpha, threshold, determination)(first, second)
    assert value.item() == pytest.approx(
        slow_loss(first, second, temperature, alpha, threshold, determination), abs=1e-9
    )


@pytest.mark.parametrize('determination', DETERMINATIONS, ids=str)
def test_gradcheck(determination):
    first, second = views(5, spread=0.3)
    loss = FALSELoss(0.5, 0.7, 0.2, determination)
    assert torch.autograd.gradcheck(loss, (first.requires_grad_(), second.requires_grad_()))


@pytest.mark.parametrize('determination', DETERMINATIONS, ids=str)
def test_alpha_zero_is_nt_xent(determination):
    first, second = views(9)
    assert torch.equal(FALSELoss(0.3, 0.0, -1.0, determination)(first, second), NTXentLoss(0.3)(first, second))


def test_nt_xent_is_cross_entropy():
    first, second = views(6)
    rows = torch.nn.functional.normalize(torch.cat([first, second]))
    logits = (rows @ rows.T / 0.5).fill_diagonal_(-torch.inf)
    expected = torch.nn.functional.cross_entropy(logits, (torch.arange(12) + 6) % 12)
    torch.testing.assert_close(NTXentLoss(0.5)(first, second), expected)


@settings(max_examples=25, deadline=None)
@given(n=st.integers(2, 8), seed=st.integers(0, 1000), alpha=st.floats(0.1, 1), floor=st.sampled_from([None, 0.0]))
def test_anchor_nearest_does_not_depend_on_order(n, seed, alpha, floor):
    first, second = views(n, seed=seed)
    loss = FALSELoss(0.5, alpha, 0.5, {'type': 'anchor_nearest', 'k': 2, 'floor': floor})
    value = loss(first, second)
    order = torch.randperm(n, generator=torch.Generator().manual_seed(seed))
    turn = torch.linalg.qr(torch.randn(5, 5, generator=torch.Generator().manual_seed(seed), dtype=torch.float64))[0]
    torch.testing.assert_close(loss(first[order], second[order]), value)
    torch.testing.assert_close(loss(second, first), value)
    torch.testing.assert_close(loss(first @ turn, second @ turn), value)


def test_released_depends_on_order():
    """Only the row with the lower index gets its pair: here it fails the gate, in reversed order the other passes."""
    case = next(case for case in GOLDEN if case['name'] == 'threshold_rejects')
    rows = torch.tensor(case['embeddings'], dtype=torch.float64)
    first, second = rows[:6], rows[6:]
    loss = FALSELoss(case['temperature'], 1.0, case['positive_threshold'], 'released')
    assert abs(loss(first, second) - loss(first.flip(0), second.flip(0))) > 0.05


@pytest.mark.parametrize('determination', DETERMINATIONS, ids=str)
def test_loss_falls_with_alpha(determination):
    first, second = views(8, spread=0.2)
    values = [FALSELoss(0.5, alpha, -1.0, determination)(first, second).item() for alpha in (0, 0.2, 0.5, 0.9, 1)]
    assert values == sorted(values, reverse=True)
    assert values[0] > values[-1]


def test_the_default_does_not_reward_collapse():
    collapsed = torch.ones(16, 32) + 1e-4 * torch.randn(16, 32, generator=torch.Generator().manual_seed(0))
    separated = torch.eye(32)[:16]
    loss = FALSELoss()
    assert loss(collapsed, collapsed) > loss(separated, separated) + 0.5


@pytest.mark.parametrize('determination', DETERMINATIONS, ids=str)
@pytest.mark.parametrize('temperature', [0.01, 0.5, 2.0])
@pytest.mark.parametrize('rows', ['identical', 'orthogonal', 'random', 'zero'])
def test_finite_at_the_edges(determination, temperature, rows):
    make = {
        'identical': torch.ones(4, 8),
        'orthogonal': torch.eye(8)[:4],
        'random': torch.randn(4, 8, generator=torch.Generator().manual_seed(3)),
        'zero': torch.zeros(4, 8),
    }
    first = make[rows].clone().requires_grad_()
    value = FALSELoss(temperature, 1.0, -1.0, determination)(first, make[rows])
    value.backward()
    assert torch.isfinite(value)
    assert torch.isfinite(first.grad).all()


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
@pytest.mark.parametrize('determination', DETERMINATIONS, ids=str)
def test_half_precision_and_autocast(dtype, determination):
    first, second = views(8, dtype=torch.float32)
    loss = FALSELoss(0.05, 1.0, 0.0, determination)
    expected = loss(first.to(dtype).float(), second.to(dtype).float())
    with torch.autocast('cpu', dtype=dtype):
        value = loss(first.to(dtype), second.to(dtype))
    assert value.dtype == torch.float32
    torch.testing.assert_close(value, expected)


@pytest.mark.parametrize(
    ('arguments', 'text'),
    [
        ({'temperature': 0}, 'temperature of FALSELoss must be a positive number, got 0'),
        ({'temperature': math.nan}, 'temperature'),
        ({'temperature': 'warm'}, "got 'warm'"),
        ({'confidence_weight': 1.1}, r'confidence_weight \(alpha\) of FALSELoss must be in \[0, 1\], got 1.1'),
        ({'confidence_weight': None}, 'confidence_weight'),
        ({'positive_threshold': -1.5}, 'positive_threshold'),
        ({'determination': 'nearest'}, 'choose one of anchor_nearest, batch_nearest, margin, mutual, oracle'),
        ({'determination': {'type': 'anchor_nearest', 'n': 2}}, 'does not take these arguments'),
        ({'determination': {'type': 'anchor_nearest', 'k': 0}}, 'got 0'),
        ({'determination': {'type': 'anchor_nearest', 'floor': 2}}, 'floor'),
    ],
)
def test_arguments_out_of_range(arguments, text):
    with pytest.raises(InputError, match=text):
        FALSELoss(**arguments)


@pytest.mark.parametrize('shapes', [((4, 8), (5, 8)), ((4, 8), (4, 7)), ((4, 8, 1), (4, 8, 1)), ((0, 8), (0, 8))])
def test_views_must_match(shapes):
    with pytest.raises(InputError, match='two views of one shape'):
        FALSELoss()(torch.zeros(shapes[0]), torch.zeros(shapes[1]))
