"""What the log gets, against a plain count."""

import math

import pytest
import torch

from projects.false import FALSELoss, FNCLoss, NTXentLoss
from tests.helpers import slow_losses as slow
from tests.helpers.loss_cases import IN_BATCH, ROW_WISE, queue_of, slow_pairs, some_excluded, spec, views


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
def test_in_batch(case, spread, alpha):
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
def test_with_a_queue(case, exclude):
    query, key = views(6, spread=0.3)
    excluded = some_excluded(6, 13) if exclude else None
    anchors = slow.with_queue(query, key, queue_of(13), None if excluded is None else excluded.tolist())
    found = slow_pairs(case, anchors, 0.5)
    loss = FNCLoss(0.5, determination=spec(case))
    loss(query, key, queue=queue_of(13), excluded=excluded)
    assert {name: value.item() for name, value in loss.seen.items()} == pytest.approx(
        expected(anchors, found, -1), abs=1e-6
    )


def test_an_untrained_loss_costs_its_reference():
    rows = torch.ones(6, 4)
    loss = NTXentLoss()
    assert loss(rows, rows).item() == pytest.approx(loss.seen['untrained_reference'].item(), abs=1e-5)
    assert set(loss.seen) == {'cosine_positive', 'cosine_negative', 'untrained_reference'}
