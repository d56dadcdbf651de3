import pytest
import torch
from torch import nn

from projects.false import InputError
from projects.false.engine.weights.matching import exact_weights


def network():
    return nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))


def test_weights_of_the_same_model():
    state = network().state_dict()
    assert exact_weights({'state_dict': state, 'meta': {}}, network(), 'a.pth') is state


@pytest.mark.parametrize('loaded', [{}, {'state_dict': 3}, [1, 2], None])
def test_no_weights(loaded):
    with pytest.raises(InputError, match=r'a\.pth: holds no weights'):
        exact_weights(loaded, network(), 'a.pth')


def test_weights_of_another_model():
    state = dict(network().state_dict())
    del state['0.bias']
    state |= {'2.bias': torch.zeros(2), '0.weight': torch.zeros(2, 4)}
    with pytest.raises(InputError, match=r'1 weights missing, 1 unexpected, 1 of another shape \(first: 0\.bias\)'):
        exact_weights({'state_dict': state}, network(), 'a.pth')
