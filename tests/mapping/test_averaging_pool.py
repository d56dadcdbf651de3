import pytest
import torch
from torch import nn

from projects.false.mapping.onnx_export import AveragingPool, replace_pools


@pytest.mark.parametrize('bins', [1, 2, 3, 6, (2, 5)])
@pytest.mark.parametrize('size', [(1, 1), (2, 3), (4, 4), (7, 12), (16, 5)])
def test_it_is_adaptive_average_pooling(size, bins):
    features = torch.randn(2, 3, *size, dtype=torch.float64)
    pair = bins if isinstance(bins, tuple) else (bins, bins)
    torch.testing.assert_close(AveragingPool(pair)(features), nn.AdaptiveAvgPool2d(bins)(features))


def test_pools_are_replaced_wherever_they_are():
    network = nn.Sequential(nn.AdaptiveAvgPool2d(3), nn.Sequential(nn.ReLU(), nn.AdaptiveAvgPool2d((2, 1))))
    features = torch.randn(1, 2, 7, 5)
    expected = network(features)
    replace_pools(network)
    assert not any(isinstance(module, nn.AdaptiveAvgPool2d) for module in network.modules())
    torch.testing.assert_close(network(features), expected)
