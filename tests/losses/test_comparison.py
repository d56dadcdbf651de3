"""Inputs that do not fit together."""

import pytest
import torch

from projects.false import FALSELoss, InputError, NTXentLoss


@pytest.mark.parametrize('shapes', [((4, 8), (5, 8)), ((4, 8), (4, 7)), ((4, 8, 1), (4, 8, 1)), ((0, 8), (0, 8))])
def test_views_must_match(shapes):
    with pytest.raises(InputError, match='two views of one shape'):
        FALSELoss()(torch.zeros(shapes[0]), torch.zeros(shapes[1]))


@pytest.mark.parametrize(
    ('queue', 'excluded', 'text'),
    [
        (torch.zeros(6, 7), None, r'a queue has shape \(K, D\) with the D of the projections, 8; got \(6, 7\)'),
        (torch.zeros(6, 8, 1), None, r'got \(6, 8, 1\)'),
        (torch.zeros(6, 8), torch.zeros(6), r'excluded is bool of shape \(4, 6\) or \(6,\); got torch.float32'),
        (torch.zeros(6, 8), torch.zeros(4, 5, dtype=torch.bool), r'of shape \(4, 5\)'),
    ],
)
def test_queue_must_fit(queue, excluded, text):
    with pytest.raises(InputError, match=text):
        FALSELoss()(torch.zeros(4, 8), torch.zeros(4, 8), queue=queue, excluded=excluded)


def test_excluded_places_need_a_queue():
    with pytest.raises(InputError, match='there is no queue'):
        NTXentLoss()(torch.randn(4, 3), torch.randn(4, 3), excluded=torch.zeros(4, dtype=torch.bool))
