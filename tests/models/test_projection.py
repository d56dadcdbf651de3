from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.model import BaseModel
from mmengine.registry import MODELS, init_default_scope

from projects.false import FALSEHead, InputError
from projects.false.models.false import known_of_views


@pytest.mark.parametrize('loss', ['FALSELoss', 'NTXentLoss', 'FNCLoss', 'DebiasedLoss', 'HardNegativeLoss'])
@pytest.mark.parametrize('queued', [False, True])
def test_every_loss_comes_from_the_config(loss, queued):
    head = FALSEHead(dict(type=loss))
    first, second = torch.randn(3, 4), torch.randn(3, 4)
    queue = torch.randn(5, 4) if queued else None
    assert head(first, second, queue=queue)['loss'] == head.loss_module(first, second, queue)


def test_what_the_loss_saw_is_logged_but_not_trained_on():
    class Model(BaseModel):
        def forward(self): ...

    head = FALSEHead(dict(type='FALSELoss'))
    rows = torch.randn(3, 4, requires_grad=True)
    named = head.loss(rows, torch.randn(3, 4))
    total, logged = Model().parse_losses(named)
    assert total == named['loss']
    assert {'cosine_positive', 'pairs_per_anchor', 'anchors_past_gate'} < set(logged)


def test_labels_reach_the_oracle():
    init_default_scope('mmpretrain')
    __import__('mmpretrain.models')
    model = MODELS.build(
        dict(
            type='FALSE',
            backbone=dict(type='ResNet', depth=18),
            neck=dict(type='FALSENeck', in_channels=512, hid_channels=16, out_channels=8),
            head=dict(
                type='FALSEHead', loss=dict(type='FALSELoss', positive_threshold=-1, determination=dict(type='oracle'))
            ),
        )
    )
    views = [torch.randn(4, 3, 32, 32) for _ in range(2)]
    samples = [SimpleNamespace(land_cover=label) for label in (0, 1, 1, 2)]
    found = model(views, samples, mode='loss')
    assert found['pairs_per_anchor'].item() == pytest.approx(8 / 8)
    with pytest.raises(InputError, match='land_cover'):
        model(views, [SimpleNamespace()] * 4, mode='loss')


def land_cover(samples):
    return known_of_views(samples, 'labels')


def test_land_cover_of_all_samples_or_none():
    samples = [SimpleNamespace(land_cover=3), SimpleNamespace(land_cover=0)]
    assert land_cover(samples).tolist() == [3, 0]
    assert land_cover([*samples, SimpleNamespace()]) is None
    assert land_cover(None) is None


def test_land_cover_of_views_is_ordered_like_the_projections():
    samples = [SimpleNamespace(land_cover=np.array([[n, 0.0], [n, 1.0]], np.float32)) for n in range(3)]
    assert land_cover(samples).tolist() == [[0, 0], [1, 0], [2, 0], [0, 1], [1, 1], [2, 1]]
