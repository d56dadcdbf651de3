"""The depth of a ResNet, from names alone."""

import pytest
import torch

from projects.false.engine.weights.resnet import DEPTHS, describe_backbone, resnet_layout, resnet_shapes
from tests.helpers.networks import build


def names(block: str, counts: tuple[int, ...]) -> list[str]:
    convs = 3 if block == 'bottleneck' else 2
    return [
        f'layer{stage + 1}.{number}.conv{conv + 1}.weight'
        for stage, count in enumerate(counts)
        for number in range(count)
        for conv in range(convs)
    ]


@pytest.mark.parametrize(
    ('block', 'counts', 'depth'),
    [
        ('basic', (2, 2, 2, 2), 18),
        ('basic', (3, 4, 6, 3), 34),
        ('bottleneck', (3, 4, 6, 3), 50),
        ('bottleneck', (3, 4, 23, 3), 101),
        ('bottleneck', (3, 8, 36, 3), 152),
        ('basic', (1, 1), None),
    ],
)
def test_layout(block: str, counts: tuple[int, ...], depth: int | None) -> None:
    assert resnet_layout(names(block, counts)) == (block, counts, depth)
    assert ('ResNet-' in describe_backbone(names(block, counts))) is (depth is not None)


def test_something_else() -> None:
    assert resnet_layout(['weight', 'layer.conv1']) is None
    assert describe_backbone([]) == 'no ResNet'


@pytest.mark.parametrize('depth', DEPTHS)
@pytest.mark.parametrize('kind', ['mmseg', 'timm'])
def test_all_libraries_agree(kind, depth):
    with torch.device('meta'):
        state = build(kind, depth, bands=4).state_dict()
    assert {name: tuple(value.shape) for name, value in state.items()} == resnet_shapes(depth, bands=4)
