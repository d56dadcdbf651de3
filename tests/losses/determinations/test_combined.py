"""Rules that combine others: confidence, evidence, features and turns; other tests of all rules test their sets."""

import pytest
import torch

from projects.false import FALSELoss, InputError
from projects.false.losses import build_determination
from projects.false.losses.determinations.combined import turns
from tests.helpers import slow_losses as slow
from tests.helpers.loss_cases import both_forms, queue_of, views


def as_sets(mask):
    return [set(row.nonzero()[:, 0].tolist()) for row in mask]


def shares_of(count, seed=0):
    shares = torch.rand(count, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return shares / shares.sum(1, keepdim=True)


EVIDENCE = dict(type='evidence', overlap=0.6, graded=True)
SIMILAR = dict(type='topk', k=4, floor=-1)


@pytest.mark.parametrize('kind', ['all_of', 'any_of'])
@pytest.mark.parametrize('form', ['in batch', 'queue'])
@pytest.mark.parametrize('order', [1, -1])
@pytest.mark.parametrize('chunk_size', [None, 5])
def test_confidence_of_both(kind, form, order, chunk_size):
    (first, second, given), anchors, rows, columns = both_forms(form, 'evidence', shares_of)
    overlaps = [[slow.overlap(row, column) for column in columns.tolist()] for row in rows.tolist()]
    alike = slow.evidence(anchors, rows.tolist(), columns.tolist(), 0.6)
    similar = slow.topk(anchors, 0.5, k=4, floor=-2)
    if kind == 'all_of':
        found = [one & other for one, other in zip(alike, similar, strict=True)]
        confidence = overlaps
    else:
        found = [one | other for one, other in zip(alike, similar, strict=True)]
        confidence = [
            [1.0 if j in s else o for j, o in enumerate(row)] for row, s in zip(overlaps, similar, strict=True)
        ]
    rule = dict(type=kind, rules=[EVIDENCE, SIMILAR][::order])
    loss = FALSELoss(0.5, 0.8, -1.0, rule, chunk_size=chunk_size)
    assert as_sets(loss.determined(first, second, **given)) == found
    expected = slow.false_loss(anchors, found, 0.5, 0.8, graded=confidence)
    assert loss(first, second, **given).item() == pytest.approx(expected, abs=1e-6)


def test_confidences_of_two_sparse_rules_multiply():
    first, second = views(6)
    rule = dict(type='evidence', overlap=0.3, graded=True, most=5)
    both = FALSELoss(0.5, 0.8, -1.0, dict(type='all_of', rules=[rule, rule]))
    shares = shares_of(12)
    anchors = slow.in_batch(first, second)
    found = slow.evidence(anchors, shares.tolist(), shares.tolist(), 0.3, 5)
    squares = [[slow.overlap(a, b) ** 2 for b in shares.tolist()] for a in shares.tolist()]
    expected = slow.false_loss(anchors, found, 0.5, 0.8, graded=squares)
    assert both(first, second, evidence=shares).item() == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize('temperature', [0.5, 0.02])
@pytest.mark.parametrize('order', [1, -1])
@pytest.mark.parametrize('kind', ['all_of', 'any_of'])
def test_a_confidence_is_0_where_no_pair_is_chosen(kind, order, temperature):
    first, second = views(6)
    codes = shares_of(12)
    codes[2] = torch.nan  # not known
    rule = dict(type=kind, rules=[dict(EVIDENCE, compare='distance'), SIMILAR][::order])
    loss = FALSELoss(temperature, 0.8, -1.0, rule)
    leaf = first.clone().requires_grad_()
    loss(leaf, second, evidence=codes).backward()
    assert leaf.grad.isfinite().all()
    comparison = loss.compare(first, second, evidence=codes)
    determine = loss.determination.prepare(comparison)
    for block in comparison.blocks():
        pairs = determine(block)
        assert (pairs.confidence[~pairs.chosen] == 0).all()
        assert (pairs.confidence[pairs.chosen] > 0).all()


@pytest.mark.parametrize('chunk_size', [None, 5])
def test_nearest_features(chunk_size):
    first, second = views(6)
    features = torch.randn(12, 7, generator=torch.Generator().manual_seed(3))
    loss = FALSELoss(0.5, 1.0, -1.0, dict(type='nearest_features', k=3), chunk_size=chunk_size)
    expected = slow.nearest_features(slow.in_batch(first, second), features, 3)
    assert as_sets(loss.determined(first, second, features=features)) == expected
    with pytest.raises(InputError, match=r'nearest_features needs features: .*train with FALSE'):
        loss(first, second)
    with pytest.raises(InputError, match='which a queue does not remember; choose topk'):
        loss(first, second, queue=queue_of(8))


def test_turns():
    first, second = views(6)
    rules = [dict(type='topk', k=1, floor=-1), dict(type='topk', k=2, floor=-1), dict(type='topk', k=3, floor=-1)]
    loss = FALSELoss(0.5, 1.0, -1.0, dict(type='in_turn', rules=rules, at=[0.25, 0.5]))
    with pytest.raises(InputError, match=r"add dict.type='DeterminationScheduleHook'. to custom_hooks"):
        loss(first, second)
    (turn,) = turns(loss.determination)
    for progress, number in ((0, 1), (0.24, 1), (0.25, 2), (0.49, 2), (0.5, 3), (1, 3)):
        turn.progress = progress
        assert loss.determined(first, second).sum(1).tolist() == [number] * 12


def test_what_a_combination_needs_is_that_of_its_rules():
    inner = dict(type='in_turn', rules=['oracle', dict(type='place')])
    rule = build_determination(dict(type='any_of', rules=['evidence', inner]))
    assert rule.reads == ('evidence', 'labels', 'place')
    assert len(list(turns(rule))) == 1
    assert [part.name for part in rule.all_rules()] == ['any_of', 'evidence', 'in_turn', 'oracle', 'place']
    assert not rule.in_batch_only
    first, second = views(4)
    for name in ('mutual', 'released'):
        with pytest.raises(InputError, match=f'determination {name} compares'):
            FALSELoss(determination=dict(type='all_of', rules=[name, 'topk']))(first, second, queue=queue_of(8))
    with pytest.raises(InputError, match='which a queue does not remember'):
        build_determination(dict(type='all_of', rules=['nearest_features', 'topk'])).check_queue()


@pytest.mark.parametrize(
    ('config', 'text'),
    [
        ('all_of', 'does not take these arguments'),
        (dict(type='all_of', rules='topk'), "rules of determination all_of .* got 'topk'"),
        (dict(type='any_of', rules=['topk']), 'list of at least two rules'),
        (dict(type='any_of', rules=['topk', 'nearest']), "unknown determination 'nearest'"),
        (dict(type='in_turn', rules=['topk', 'margin'], at=[0.2, 0.5]), 'has 1 ascending shares for 2 rules'),
        (dict(type='in_turn', rules=['topk', 'margin', 'mutual'], at=[0.5, 0.5]), 'has 2 ascending shares'),
        (dict(type='in_turn', rules=['topk', 'margin'], at=[1.5]), 'at .shares of training. of determination in_turn'),
    ],
)
def test_combinations_that_are_none(config, text):
    with pytest.raises(InputError, match=text):
        build_determination(config)
