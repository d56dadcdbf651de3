"""Evidence and the oracle: what the views show decides, in both forms, whatever the network makes of them."""

import pytest
import torch

from projects.false import FALSELoss, InputError
from projects.false.losses import build_determination
from tests.helpers import slow_losses as slow
from tests.helpers.loss_cases import both_forms, queue_of, views


def as_sets(mask):
    return [set(row.nonzero()[:, 0].tolist()) for row in mask]


@pytest.mark.parametrize('queued', [False, True])
def test_oracle(queued):
    first, second = views(6)
    labels, queue_labels = torch.tensor([0, 1, 0, 2, 1, 0]), torch.arange(8) % 3
    loss = FALSELoss(0.5, 1.0, -1.0, 'oracle')
    if queued:
        anchors = slow.with_queue(first, second, queue_of(8))
        expected = slow.oracle(anchors, labels.tolist(), queue_labels.tolist())
        found = loss.determined(first, second, queue=queue_of(8), labels=labels, queue_labels=queue_labels)
    else:
        anchors = slow.in_batch(first, second)
        expected = slow.oracle(anchors, labels.repeat(2).tolist(), labels.repeat(2).tolist())
        found = loss.determined(first, second, labels=labels)
    assert as_sets(found) == expected
    assert any(expected)


@pytest.mark.parametrize('graded', [False, True])
@pytest.mark.parametrize(
    ('compare', 'change', 'message'),
    [
        (
            'overlap',
            lambda shares: (shares * 64).long(),
            r'are shares of kinds in \[0, 1\], which add up to 1; got',
        ),
        ('overlap', lambda shares: -shares, r'got values from -'),
        (
            'overlap',
            lambda shares: (shares * 4).clamp(max=1),
            r'and a sum of .*; divide them by their sum, or compare codes',
        ),
        ('distance', lambda shares: shares * 64, r'are codes in \[0, 1\]; got values from'),
    ],
)
def test_counts_are_no_shares(graded, compare, change, message):
    """Counts would determine nearly all pairs, and by the overlap as weight make the loss negative."""
    first, second = views(4)
    shares = torch.rand(8, 6, generator=torch.Generator().manual_seed(0)).softmax(1)
    loss = FALSELoss(0.5, 1.0, -1.0, dict(type='evidence', compare=compare, graded=graded))
    loss(first, second, evidence=shares)
    with pytest.raises(InputError, match=message):
        loss(first, second, evidence=change(shares))


@pytest.mark.parametrize('compare', ['overlap', 'distance'])
@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_evidence_in_half_precision_is_compared_in_float32(compare, dtype):
    first, second = views(32)
    shares = (torch.rand(64, 6, generator=torch.Generator().manual_seed(0)) * 4).softmax(1).to(dtype)
    loss = FALSELoss(0.5, 1.0, -1.0, dict(type='evidence', compare=compare))
    found = loss.determined(first.to(dtype), second.to(dtype), evidence=shares)
    assert torch.equal(found, loss.determined(first.to(dtype), second.to(dtype), evidence=shares.float()))
    assert found.any()


@pytest.mark.parametrize('level', [0.0, 0.5, 0.8])
def test_oracle_of_views(level):
    first, second = views(5)
    shares = torch.tensor([[1, 0, 0], [0.875, 0.125, 0], [0.5, 0.5, 0], [0, 0.125, 0.875], [0, 0, 0]] * 2)
    shares[5] = torch.tensor([0.0, 0.0, 1.0])  # the second view of the first image shows something else
    found = FALSELoss(0.5, 1.0, -1.0, dict(type='oracle', overlap=level)).determined(first, second, labels=shares)
    for i in range(10):
        for j in range(10):
            common = sum(min(a, b) for a, b in zip(shares[i].tolist(), shares[j].tolist(), strict=True))
            assert found[i, j] == (common > level and i % 5 != j % 5), (i, j)
    assert found.any()


@pytest.mark.parametrize('queued', [False, True])
def test_oracle_of_the_most_similar(queued):
    first, second = views(6)
    labels, queue_labels = torch.tensor([0, 1, 0, 2, 1, 0]), torch.arange(8) % 3
    if queued:
        anchors = slow.with_queue(first, second, queue_of(8))
        known, named = (labels.tolist(), queue_labels.tolist()), dict(queue=queue_of(8), queue_labels=queue_labels)
    else:
        anchors, known, named = slow.in_batch(first, second), (labels.repeat(2).tolist(),) * 2, {}
    found = FALSELoss(0.5, 1.0, -1.0, dict(type='oracle', most=3)).determined(first, second, labels=labels, **named)
    for anchor, chosen, shared in zip(anchors, as_sets(found), slow.oracle(anchors, *known), strict=True):
        assert chosen == set(sorted(shared, key=lambda j: -anchor.negatives[j])[:3])


def shares_of(count, kinds=3, seed=0):
    """Shares of a few kinds, some of them equal and one unknown."""
    counts = torch.randint(0, 3, (count, kinds), generator=torch.Generator().manual_seed(seed)).double()
    counts[1] = 0
    return counts / counts.sum(1, keepdim=True).clamp(min=1)


COMPARE = {'overlap': slow.overlap, 'distance': slow.agreement}


def slow_evidence(form, level, most, compare='overlap'):
    """A comparison by evidence: inputs of the loss, the anchors, F(i), and the overlap of every pair."""
    alike = COMPARE[compare]
    (first, second, given), anchors, rows, columns = both_forms(form, 'evidence', shares_of)
    found = slow.evidence(anchors, rows.tolist(), columns.tolist(), level, most, alike)
    overlaps = [[alike(row, column) for column in columns.tolist()] for row in rows.tolist()]
    return (first, second, given), anchors, found, overlaps


@pytest.mark.parametrize('form', ['in batch', 'queue'])
@pytest.mark.parametrize('level', [0.0, 0.45, 0.8])
@pytest.mark.parametrize('most', [None, 1, 3])
@pytest.mark.parametrize('compare', COMPARE)
def test_evidence(form, level, most, compare):
    (first, second, given), _, expected, _ = slow_evidence(form, level, most, compare)
    loss = FALSELoss(0.5, 1.0, -1.0, dict(type='evidence', overlap=level, most=most, compare=compare))
    assert as_sets(loss.determined(first, second, **given)) == expected
    assert any(expected)


@pytest.mark.parametrize('form', ['in batch', 'queue'])
@pytest.mark.parametrize('most', [None, 2])
@pytest.mark.parametrize('chunk_size', [None, 5])
@pytest.mark.parametrize('compare', COMPARE)
def test_graded_evidence_weighs_every_pair_by_its_overlap(form, most, chunk_size, compare):
    (first, second, given), anchors, found, overlaps = slow_evidence(form, 0.3, most, compare)
    rule = dict(type='evidence', overlap=0.3, most=most, graded=True, compare=compare)
    loss = FALSELoss(0.5, 0.8, -1.0, rule, chunk_size=chunk_size)
    expected = slow.false_loss(anchors, found, 0.5, 0.8, graded=overlaps)
    assert loss(first, second, **given).item() == pytest.approx(expected, abs=1e-9)
    plain = slow.false_loss(anchors, found, 0.5, 0.8)
    assert expected != pytest.approx(plain, abs=1e-6)


@pytest.mark.parametrize('graded', [False, True])
@pytest.mark.parametrize('most', [None, 3])
@pytest.mark.parametrize('compare', COMPARE)
def test_evidence_in_blocks(graded, most, compare):
    first, second = views(9)
    value, gradients = [], []
    for chunk_size in (None, 1, 4):
        leaf = first.clone().requires_grad_()
        rule = dict(type='evidence', overlap=0.4, most=most, graded=graded, compare=compare)
        loss = FALSELoss(0.5, 0.9, -1.0, rule, chunk_size=chunk_size)(leaf, second, evidence=shares_of(18))
        loss.backward()
        value.append(loss.detach())
        gradients.append(leaf.grad)
    for other, gradient in zip(value[1:], gradients[1:], strict=True):
        torch.testing.assert_close(other, value[0])
        torch.testing.assert_close(gradient, gradients[0])


def test_evidence_and_the_oracle_read_their_own():
    first, second = views(6)
    shares, labels = shares_of(12), torch.tensor([0, 1, 0, 2, 1, 0])
    by = {
        name: FALSELoss(0.5, 1.0, -1.0, name).determined(first, second, labels=labels, evidence=shares)
        for name in ('evidence', 'oracle')
    }
    assert (by['evidence'] == FALSELoss(0.5, 1.0, -1.0, 'evidence').determined(first, second, evidence=shares)).all()
    assert (by['oracle'] == FALSELoss(0.5, 1.0, -1.0, 'oracle').determined(first, second, labels=labels)).all()
    assert (by['evidence'] != by['oracle']).any()


def test_evidence_that_is_missing_or_does_not_fit():
    first, second = views(5)
    loss = FALSELoss(determination='evidence')
    with pytest.raises(InputError, match=r'determination evidence needs evidence: .*ViewAppearance'):
        loss(first, second)
    with pytest.raises(InputError, match='needs evidence and queue_evidence'):
        loss(first, second, queue=queue_of(8), evidence=shares_of(5))
    with pytest.raises(InputError, match=r'evidence of views .*\(5, 3\)'):
        loss(first, second, evidence=shares_of(5))
    with pytest.raises(InputError, match=r'queue_evidence holds .*\(7, 3\)'):
        loss(first, second, queue=queue_of(8), evidence=shares_of(5), queue_evidence=shares_of(7))
    with pytest.raises(InputError, match='evidence and queue_evidence have the same form'):
        loss(first, second, queue=queue_of(8), evidence=shares_of(5), queue_evidence=shares_of(8, kinds=4))
    with pytest.raises(InputError, match='overlap of determination evidence'):
        build_determination(dict(type='evidence', overlap=-0.1))
    with pytest.raises(InputError, match=r"compare of determination evidence is 'minima'; give one of overlap, dist"):
        build_determination(dict(type='evidence', compare='minima'))
    with pytest.raises(InputError, match='does not take these arguments'):
        build_determination(dict(type='oracle', compare='distance'))


def test_codes_that_are_not_known_agree_with_none():
    first, second = views(3)
    codes = torch.rand(6, 4, generator=torch.Generator().manual_seed(0))
    codes[2] = torch.nan
    found = FALSELoss(0.5, 1.0, -1.0, dict(type='evidence', compare='distance', overlap=0.0)).determined(
        first, second, evidence=codes
    )
    assert not found[2].any()
    assert not found[:, 2].any()
    assert found[0].tolist() == [False, True, False, False, True, True]


@pytest.mark.parametrize('temperature', [0.5, 0.02])  # sums of exponentials, and logarithms of sums
@pytest.mark.parametrize('most', [None, 3])
@pytest.mark.parametrize('compare', COMPARE)
def test_graded_evidence_that_is_not_known_moves_nothing(temperature, most, compare):
    first, second = views(6)
    shares = shares_of(12)
    shares[[3, 8]] = torch.nan
    rule = dict(type='evidence', overlap=0.3, most=most, graded=True, compare=compare)
    loss = FALSELoss(temperature, 0.8, -1.0, rule)
    anchors, alike = slow.in_batch(first, second), COMPARE[compare]
    overlaps = [[alike(row, column) for column in shares.tolist()] for row in shares.tolist()]
    overlaps = [
        [-1.0 if i in (3, 8) or j in (3, 8) else o for j, o in enumerate(row)] for i, row in enumerate(overlaps)
    ]
    found = [{j for j in a.negatives if overlaps[i][j] > 0.3} for i, a in enumerate(anchors)]
    found = [set(sorted(f, key=lambda j, a=a: -a.negatives[j])[:most]) for a, f in zip(anchors, found, strict=True)]
    leaf = first.clone().requires_grad_()
    value = loss(leaf, second, evidence=shares)
    value.backward()
    assert value.item() == pytest.approx(slow.false_loss(anchors, found, temperature, 0.8, graded=overlaps), abs=1e-9)
    assert leaf.grad.isfinite().all()


def test_oracle_refuses_labels_that_do_not_fit():
    first, second = views(5)
    with pytest.raises(InputError, match=r'labels of views .*\(5, 3\)'):
        FALSELoss(determination='oracle')(first, second, labels=torch.ones(5, 3))
    with pytest.raises(InputError, match='overlap of determination oracle'):
        build_determination(dict(type='oracle', overlap=1.5))
    with pytest.raises(InputError, match='most of determination oracle'):
        build_determination(dict(type='oracle', most=0))


def test_oracle_needs_labels():
    first, second = views(4)
    with pytest.raises(InputError, match='oracle needs labels: call the loss with them'):
        FALSELoss(determination='oracle')(first, second)
    with pytest.raises(InputError, match='oracle needs labels and queue_labels'):
        FALSELoss(determination='oracle')(first, second, queue=queue_of(8), labels=torch.arange(4))
    with pytest.raises(InputError, match=r'labels holds one label per image, shape \(4,\); got \(5,\)'):
        FALSELoss(determination='oracle')(first, second, labels=torch.arange(5))
