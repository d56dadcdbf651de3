import pytest
import torch
from torch import nn

from projects.false import InputError
from projects.false.engine.weights.matching import compare_keys, exact_weights


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


def test_every_name_is_listed_once():
    given = {'a.weight': (1,), 'b.weight': (2, 2), 'fc.weight': (3,), 'c.num_batches_tracked': ()}
    expected = {'a.weight': (1,), 'b.weight': (2, 1), 'd.weight': (4,), 'd.num_batches_tracked': ()}
    report = compare_keys(given, expected, others=['neck.x', 'neck.y'])
    assert report.matched == ('a.weight',)
    assert report.reshaped == (('b.weight', (2, 2), (2, 1)),)
    assert report.missing == ('d.weight', 'd.num_batches_tracked')
    assert report.needed() == ['d.weight']
    assert report.unexpected == ('fc.weight', 'c.num_batches_tracked', 'neck.x', 'neck.y')
    assert report.surplus() == ['fc.weight', 'neck.x', 'neck.y']
    assert report.text() == (
        '1 matched, 2 missing (d.weight, d.num_batches_tracked), 4 unexpected (left out: fc 1, c 1, neck 2)'
    )
