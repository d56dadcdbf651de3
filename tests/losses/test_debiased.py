"""The debiased and the hard-negative loss against their equations."""

import pytest
import torch

from projects.false import DebiasedLoss, HardNegativeLoss, InputError, NTXentLoss
from tests.helpers import slow_losses as slow
from tests.helpers.loss_cases import FORMS, value_and_anchors, views


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
        (lambda: DebiasedLoss(tau_plus=1), r'tau_plus \(a probability\) of DebiasedLoss must be below 1, got 1'),
        (lambda: DebiasedLoss(tau_plus=-0.1), 'tau_plus'),
        (lambda: HardNegativeLoss(tau_plus=1.1), 'tau_plus .* of HardNegativeLoss'),
        (lambda: HardNegativeLoss(beta=-1), 'beta of HardNegativeLoss'),
        (lambda: HardNegativeLoss(temperature=-1), 'temperature of HardNegativeLoss'),
    ],
)
def test_arguments_out_of_range(make, text):
    with pytest.raises(InputError, match=text):
        make()
