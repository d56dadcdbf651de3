import pytest
import torch

from projects.false.engine.weights.resnet import DEPTHS, resnet_shapes

from .networks import build


@pytest.mark.parametrize('depth', DEPTHS)
@pytest.mark.parametrize('kind', ['mmseg', 'timm'])
def test_all_libraries_agree(kind, depth):
    with torch.device('meta'):
        state = build(kind, depth, bands=4).state_dict()
    assert {name: tuple(value.shape) for name, value in state.items()} == resnet_shapes(depth, bands=4)
