"""Every loss: the numbers of the log against a plain count, gradients, precisions and edges."""

import math
from itertools import product

import pytest
import torch

from projects.false import FALSELoss, FNCLoss, NTXentLoss
from tests.helpers import slow_losses as slow
from tests.helpers.loss_cases import (
    IN_BATCH,
    ROW_WISE,
    WITH_QUEUE,
    collapsed_and_separated,
    losses,
    queue_of,
    slow_pairs,
    some_excluded,
    spec,
    views,
)

NAMES = list(losses())
SMOOTH = [name for name in NAMES if name != 'growing']
"""Finite differences see a confidence that changes with the embeddings, although it is a constant for the gradient."""


def mean(values):
    values = list(values)
    return sum(values) / len(values) if values else 0


def expected(anchors, found, threshold):
    pairs = [(a, f) for a, f in zip(anchors, found, strict=True)]
    return {
        'cosine_positive': mean(a.positive for a in anchors),
        'cosine_negative': mean(c for a, f in pairs for j, c in a.negatives.items() if j not in f),
        'untrained_reference': mean(math.log(1 + len(a.negatives)) for a in anchors),
        'anchors_past_gate': mean(a.positive >= threshold for a in anchors),
        'pairs_per_anchor': mean(len(f) for f in found),
        'cosine_determined': mean(a.negatives[j] for a, f in pairs for j in f),
    }


@pytest.mark.parametrize('case', IN_BATCH)
@pytest.mark.parametrize('spread', [0.1, 0.8])
@pytest.mark.parametrize('alpha', [0.0, 0.9])
def test_numbers_for_the_log_in_a_batch(case, spread, alpha):
    first, second = views(8, spread=spread)
    anchors = slow.in_batch(first, second)
    found = slow.gated(slow_pairs(case, anchors, 0.5), anchors, 0.8)
    loss = FALSELoss(0.5, alpha, 0.8, spec(case))
    assert loss.seen == {}
    loss(first.requires_grad_(), second)
    assert not any(value.requires_grad or value.ndim for value in loss.seen.values())
    assert {name: value.item() for name, value in loss.seen.items()} == pytest.approx(
        expected(anchors, found, 0.8), abs=1e-6
    )


@pytest.mark.parametrize('case', ROW_WISE)
@pytest.mark.parametrize('exclude', [False, True])
def test_numbers_for_the_log_with_a_queue(case, exclude):
    query, key = views(6, spread=0.3)
    excluded = some_excluded(6, 13) if exclude else None
    anchors = slow.with_queue(query, key, queue_of(13), None if excluded is None else excluded.tolist())
    found = slow_pairs(case, anchors, 0.5)
    loss = FNCLoss(0.5, determination=spec(case))
    loss(query, key, queue=queue_of(13), excluded=excluded)
    assert {name: value.item() for name, value in loss.seen.items()} == pytest.approx(
        expected(anchors, found, -1), abs=1e-6
    )


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16], ids=str)
def test_numbers_for_the_log_do_not_depend_on_autocast(dtype):
    first, second = views(256, dtype=torch.float32)
    loss = FALSELoss(0.5, 1.0, -1.0, 'topk')
    first = first + 10  # sums over the batch exceed float16
    loss(first, second)
    expected = loss.seen
    with torch.autocast('cpu', dtype=dtype):
        loss(first, second)
    for name, value in loss.seen.items():
        torch.testing.assert_close(value, expected[name], msg=lambda text, name=name: f'{name}: {text}')


def test_an_untrained_loss_costs_its_reference():
    rows = torch.ones(6, 4)
    loss = NTXentLoss()
    assert loss(rows, rows).item() == pytest.approx(loss.seen['untrained_reference'].item(), abs=1e-5)
    assert set(loss.seen) == {'cosine_positive', 'cosine_negative', 'untrained_reference'}


@pytest.mark.parametrize('name', SMOOTH)
@pytest.mark.parametrize('chunk_size', [None, 3])
def test_gradient(name, chunk_size):
    first, second = views(4, dimension=3, spread=0.3)
    loss = losses(chunk_size=chunk_size)[name]
    assert torch.autograd.gradcheck(loss, (first.requires_grad_(), second.requires_grad_()))


@pytest.mark.parametrize('name', [name for name in SMOOTH if name in WITH_QUEUE])
def test_gradient_with_a_queue(name):
    query, key = views(4, dimension=3, spread=0.3)
    queue, excluded = queue_of(7, dimension=3), some_excluded(4, 7)
    loss = losses(temperature=0.2)[name]
    assert torch.autograd.gradcheck(
        lambda *views: loss(*views, queue=queue, excluded=excluded), (query.requires_grad_(), key.requires_grad_())
    )


def test_gradient_that_reaches_the_queue():
    query, key = views(4, dimension=3, spread=0.3)
    assert torch.autograd.gradcheck(
        lambda queue: FALSELoss(0.5, 0.7, -1.0)(query, key, queue=queue), queue_of(6, dimension=3).requires_grad_()
    )


@pytest.mark.parametrize('name', NAMES)
@pytest.mark.parametrize('dtype', [torch.float64, torch.float32, torch.bfloat16, torch.float16], ids=str)
def test_precisions(name, dtype):
    """Half precision costs what the same numbers cost in float32, under autocast and without."""
    full = torch.float64 if dtype == torch.float64 else torch.float32
    for temperature in (0.01, 0.1, 2.0):
        first, second = (view.to(dtype) for view in views(8, spread=0.4))
        loss = losses(temperature)[name]
        expected = loss(first.to(full), second.to(full))
        first.requires_grad_()
        value = loss(first, second)
        assert value.dtype == full
        torch.testing.assert_close(value, expected, msg=lambda text, at=temperature: f'temperature {at}: {text}')
        value.backward()
        assert torch.isfinite(value), temperature
        assert torch.isfinite(first.grad).all(), temperature
        if dtype in (torch.bfloat16, torch.float16):
            with torch.autocast('cpu', dtype=dtype):
                torch.testing.assert_close(loss(first, second), expected)


EDGES = {
    'identical': torch.ones(4, 8),
    'orthogonal': torch.eye(8)[:4],
    'random': torch.randn(4, 8, generator=torch.Generator().manual_seed(3)),
    'zero': torch.zeros(4, 8),
    'opposite': torch.ones(4, 8) * torch.tensor([1.0, -1.0, 1.0, -1.0])[:, None],
    'one image': torch.eye(8)[:1],
    'two images': torch.eye(8)[:2],
}


@pytest.mark.parametrize('name', NAMES)
def test_finite_at_the_edges(name):
    broken, made = [], {temperature: losses(temperature)[name] for temperature in (0.01, 0.5, 2.0)}
    for (temperature, loss), (rows, values), sign in product(made.items(), EDGES.items(), (1, -1)):
        first = values.clone().requires_grad_()
        value = loss(first, sign * values)
        value.backward()
        if not (torch.isfinite(value) and torch.isfinite(first.grad).all()):
            broken.append((temperature, rows, sign))
    assert broken == []


@pytest.mark.parametrize('name', WITH_QUEUE)
def test_nothing_in_the_queue_yet(name):
    query = views(4)[0].requires_grad_()
    value = losses()[name](query, views(4)[1], queue=torch.zeros(6, 5), excluded=torch.ones(6, dtype=torch.bool))
    value.backward()
    assert value.item() == 0
    assert (query.grad == 0).all()


@pytest.mark.parametrize('name', ['nt_xent', 'debiased', 'hard_negative', 'elimination_topk', 'attraction_topk'])
def test_no_relative_rewards_collapse(name):
    loss = losses()[name]
    collapsed, separated = collapsed_and_separated(32)
    assert loss(collapsed, collapsed) > loss(separated, separated) + 0.2
