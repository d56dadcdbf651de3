import torch
from torch import nn

from projects.false.models.false_moco import MomentumEncoder


def moved(encoder, value):
    with torch.no_grad():
        for parameter in encoder.parameters():
            parameter.fill_(value)
    return encoder


def test_it_copies_first_and_follows_then():
    query = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4))
    key = MomentumEncoder(query, 0.25)
    key.update(moved(query, 4.0))
    assert all((parameter == 4).all() for parameter in key.parameters())
    key.update(moved(query, 8.0))
    assert all((parameter == 5).all() for parameter in key.parameters())
    assert not any(parameter.requires_grad for parameter in key.parameters())


def test_statistics_are_its_own():
    query = nn.BatchNorm2d(1)
    key = MomentumEncoder(query, 0.5)
    key.update(query)
    key.train()(torch.full((4, 1, 2, 2), 10.0))
    key.update(query)
    assert key.module.running_mean == 1
    assert query.running_mean == 0


def test_a_resumed_one_goes_on_following():
    query = nn.Linear(2, 2)
    key = MomentumEncoder(query, 0.5)
    key.update(moved(query, 2.0))
    resumed = MomentumEncoder(query, 0.5)
    resumed.load_state_dict(key.state_dict())
    resumed.update(moved(query, 4.0))
    assert all((parameter == 3).all() for parameter in resumed.parameters())


def test_loading_the_query_encoder_alone_leaves_the_copy_to_the_first_update():
    model = nn.Module()
    model.backbone = nn.Linear(2, 2)
    model.key_encoder = MomentumEncoder(model.backbone, 0.5)
    weights = {f'backbone.{name}': torch.full_like(value, 7.0) for name, value in model.backbone.state_dict().items()}
    model.load_state_dict(weights, strict=False)
    model.key_encoder.update(model.backbone)
    assert all((parameter == 7).all() for parameter in model.key_encoder.parameters())
