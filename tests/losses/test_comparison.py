"""Inputs that do not fit together."""

import numpy as np
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
        (
            torch.zeros(6, 7),
            None,
            r'shape \(K, D\) with K >= 1 and the D of the projections, 8; got \(6, 7\)',
        ),
        (torch.zeros(0, 8), None, r'a queue has shape \(K, D\) with K >= 1'),
        (torch.zeros(6, 8, 1), None, r'got \(6, 8, 1\)'),
        (torch.zeros(6, 8), torch.zeros(6), r'excluded is bool of shape \(4, 6\) or \(6,\); got torch.float32'),
        (torch.zeros(6, 8), torch.zeros(4, 5, dtype=torch.bool), r'of shape \(4, 5\)'),
    ],
)
def test_queue_must_fit(queue, excluded, text):
    with pytest.raises(InputError, match=text):
        FALSELoss()(torch.zeros(4, 8), torch.zeros(4, 8), queue=queue, excluded=excluded)


def test_what_is_known_is_a_tensor():
    """Pipeline steps store arrays."""
    with pytest.raises(InputError, match=r'evidence is a tensor, got ndarray; convert it with torch\.as_tensor'):
        FALSELoss(determination='evidence')(torch.ones(2, 8), torch.ones(2, 8), evidence=np.ones((4, 6)))


def test_excluded_places_need_a_queue():
    with pytest.raises(InputError, match='there is no queue'):
        NTXentLoss()(torch.randn(4, 3), torch.randn(4, 3), excluded=torch.zeros(4, dtype=torch.bool))


@pytest.mark.parametrize('length', [0.0, 1e-20, 1e-8])
@pytest.mark.parametrize('queue', [None, torch.randn(5, 8, generator=torch.Generator().manual_seed(1))])
def test_a_row_without_a_direction_gets_no_gradient(length, queue):
    generator = torch.Generator().manual_seed(0)
    views = [torch.randn(4, 8, generator=generator) for _ in range(2)]
    views[0][2] = length
    leaves = [view.requires_grad_() for view in views]
    FALSELoss(temperature=0.1, positive_threshold=-1.0)(*leaves, queue=queue).backward()
    assert leaves[0].grad[2].abs().max() == 0
    assert leaves[0].grad[[0, 1, 3]].abs().sum(1).min() > 0
    assert max(leaf.grad.abs().max() for leaf in leaves) < 10
