"""NT-Xent, InfoNCE, False Negative Cancellation, debiased and hard negatives against their equations."""

import pytest
import torch
import torch.nn.functional as F

from projects.false import DebiasedLoss, FNCLoss, HardNegativeLoss, InputError, NTXentLoss
from tests.helpers import slow_losses as slow
from tests.helpers.loss_cases import queue_of, some_excluded, views

FORMS = ['in batch', 'queue', 'queue, some excluded']


def value_and_anchors(loss, form, spread=0.4):
    first, second = views(6, spread=spread)
    if form == 'in batch':
        return loss(first, second).item(), slow.in_batch(first, second)
    excluded = some_excluded(6, 11) if 'excluded' in form else None
    anchors = slow.with_queue(first, second, queue_of(11), None if excluded is None else excluded.tolist())
    return loss(first, second, queue=queue_of(11), excluded=excluded).item(), anchors


def test_nt_xent_is_cross_entropy():
    first, second = views(6)
    rows = F.normalize(torch.cat([first, second]))
    logits = (rows @ rows.T / 0.5).fill_diagonal_(-torch.inf)
    torch.testing.assert_close(NTXentLoss(0.5)(first, second), F.cross_entropy(logits, (torch.arange(12) + 6) % 12))


def test_with_a_queue_it_is_info_nce():
    query, key = views(6)
    unit, positive, queue = F.normalize(query), F.normalize(key), F.normalize(queue_of(11))
    logits = torch.cat([(unit * positive).sum(1, keepdim=True), unit @ queue.T], dim=1) / 0.2
    expected = F.cross_entropy(logits, torch.zeros(6, dtype=torch.long))
    torch.testing.assert_close(NTXentLoss(0.2)(query, key, queue=queue_of(11)), expected)


@pytest.mark.parametrize('form', FORMS)
def test_nt_xent(form):
    value, anchors = value_and_anchors(NTXentLoss(0.3), form)
    assert value == pytest.approx(slow.false_loss(anchors, [set()] * len(anchors), 0.3, 0), abs=1e-9)


@pytest.mark.parametrize('form', FORMS)
@pytest.mark.parametrize('mode', ['elimination', 'attraction'])
@pytest.mark.parametrize('floor', [-0.5, 0.7])
@pytest.mark.parametrize('threshold', [-1.0, 0.9])
def test_false_negative_cancellation(form, mode, floor, threshold):
    loss = FNCLoss(0.3, mode, threshold, {'type': 'topk', 'k': 3, 'floor': floor})
    value, anchors = value_and_anchors(loss, form)
    found = slow.gated(slow.topk(anchors, 0.3, 3, floor), anchors, threshold)
    assert value == pytest.approx(getattr(slow, mode)(anchors, found, 0.3), abs=1e-9)


@pytest.mark.parametrize('mode', ['elimination', 'attraction'])
def test_false_negative_cancellation_with_a_rule_for_the_batch(mode):
    loss = FNCLoss(0.3, mode, -1.0, 'released')
    value, anchors = value_and_anchors(loss, 'in batch', spread=0.05)
    found = slow.released(anchors, 0.3)
    assert sum(map(len, found)) > 20  # of the sentinel's regime
    assert value == pytest.approx(getattr(slow, mode)(anchors, found, 0.3), abs=1e-9)


@pytest.mark.parametrize('form', FORMS)
@pytest.mark.parametrize('temperature', [0.1, 0.5, 2.0])
@pytest.mark.parametrize('tau_plus', [0.0, 0.1, 0.6])
def test_debiased(form, temperature, tau_plus):
    value, anchors = value_and_anchors(DebiasedLoss(temperature, tau_plus), form)
    assert value == pytest.approx(slow.debiased(anchors, temperature, tau_plus), abs=1e-9)


@pytest.mark.parametrize('form', FORMS)
@pytest.mark.parametrize('beta', [0.0, 0.5, 2.0])
@pytest.mark.parametrize('tau_plus', [0.0, 0.1])
def test_hard_negatives(form, beta, tau_plus):
    value, anchors = value_and_anchors(HardNegativeLoss(0.4, tau_plus, beta), form)
    assert value == pytest.approx(slow.debiased(anchors, 0.4, tau_plus, beta), abs=1e-9)


def test_neither_correction_is_nt_xent():
    first, second = views(6)
    torch.testing.assert_close(HardNegativeLoss(0.4, 0.0, 0.0)(first, second), NTXentLoss(0.4)(first, second))


@pytest.mark.parametrize(
    ('make', 'text'),
    [
        (lambda: FNCLoss(mode='both'), "mode of FNCLoss must be 'attraction' or 'elimination', got 'both'"),
        (lambda: FNCLoss(positive_threshold=2), 'positive_threshold'),
        (lambda: DebiasedLoss(tau_plus=1), r'tau_plus \(a probability\) of DebiasedLoss must be below 1, got 1'),
        (lambda: DebiasedLoss(tau_plus=-0.1), 'tau_plus'),
        (lambda: HardNegativeLoss(tau_plus=1.1), 'tau_plus .* of HardNegativeLoss'),
        (lambda: HardNegativeLoss(beta=-1), 'beta of HardNegativeLoss'),
        (lambda: HardNegativeLoss(temperature=-1), 'temperature of HardNegativeLoss'),
        (lambda: NTXentLoss(chunk_size=2.5), 'chunk_size of NTXentLoss .* got 2.5'),
    ],
)
def test_arguments_out_of_range(make, text):
    with pytest.raises(InputError, match=text):
        make()
