"""False Negative Cancellation against its equations."""

import pytest

from projects.false import FNCLoss, InputError
from tests.helpers import slow_losses as slow
from tests.helpers.loss_cases import FORMS, value_and_anchors

GRADED = dict(type='evidence', graded=True)


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


@pytest.mark.parametrize(
    ('make', 'text'),
    [
        (lambda: FNCLoss(mode='both'), "mode of FNCLoss must be 'attraction' or 'elimination', got 'both'"),
        (lambda: FNCLoss(positive_threshold=2), 'positive_threshold'),
        (lambda: FNCLoss(determination=GRADED), r'determination evidence has graded=True; set graded=False, or take'),
        (
            lambda: FNCLoss(
                determination=dict(type='any_of', rules=['topk', dict(type='all_of', rules=['topk', GRADED])])
            ),
            'determination evidence has graded=True',
        ),
    ],
)
def test_arguments_out_of_range(make, text):
    with pytest.raises(InputError, match=text):
        make()
