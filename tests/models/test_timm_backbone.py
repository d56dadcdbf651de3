"""Any network of timm gives four maps of the strides and channels that it names, for images of any size."""

import pytest
import timm
import torch

from projects.false import InputError
from projects.false.models.timm_backbone import TimmBackbone

NETWORKS = [
    'resnet18',
    'tf_efficientnet_lite0',
    'convnext_atto',
    'swin_tiny_patch4_window7_224',
    'vit_tiny_patch16_224',
]


@pytest.mark.parametrize('name', [*NETWORKS, 'deit_tiny_patch16_224', 'mobilevitv2_050'])
@torch.no_grad()
def test_four_maps_for_images_of_any_size(name: str) -> None:
    backbone = TimmBackbone(name).eval()
    assert backbone.strides == (4, 8, 16, 32)
    for height, width in ((64, 64), (100, 37)):
        maps = backbone(torch.rand(1, 3, height, width))
        expected = [
            (1, channels, -(-height // stride), -(-width // stride))
            for channels, stride in zip(backbone.channels, backbone.strides, strict=True)
        ]
        assert [tuple(cells.shape) for cells in maps] == expected


@torch.no_grad()
def test_the_maps_are_those_of_timm() -> None:
    torch.manual_seed(0)
    backbone = TimmBackbone('resnet18').eval()
    images = torch.rand(2, 3, 64, 96)
    whole = timm.create_model('resnet18', features_only=True, out_indices=(1, 2, 3, 4)).eval()
    whole.load_state_dict(backbone.timm_model.state_dict(), strict=False)
    for ours, theirs in zip(backbone(images), whole(images), strict=True):
        torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize('name', ['tf_efficientnet_lite0', 'vit_tiny_patch16_224'])
@torch.no_grad()
def test_some_of_the_maps(name: str) -> None:
    torch.manual_seed(0)
    every = TimmBackbone(name).eval()
    some = TimmBackbone(name, out_indices=(1, 3)).eval()
    some.load_state_dict(every.state_dict())
    assert some.strides == (8, 32)
    assert some.channels == (every.channels[1], every.channels[3])
    images = torch.rand(1, 3, 64, 70)
    for found, expected in zip(some(images), every(images)[1::2], strict=True):
        torch.testing.assert_close(found, expected)


@torch.no_grad()
def test_blocks_of_a_transformer_are_spread_over_its_depth() -> None:
    torch.manual_seed(0)
    backbone = TimmBackbone('vit_tiny_patch16_224').eval()
    assert backbone.indices == [2, 5, 8, 11]
    images = torch.rand(1, 3, 64, 64)
    found = backbone.timm_model.forward_intermediates(images, indices=[8], norm=True, intermediates_only=True)[0]
    torch.testing.assert_close(backbone(images)[2], found)  # stride 16 is that of the blocks: nothing to resize


def test_the_classifier_is_gone_and_everything_else_learns() -> None:
    for name in NETWORKS:
        backbone = TimmBackbone(name)
        sum(cells.mean() for cells in backbone(torch.rand(2, 3, 64, 64))).backward()
        without = [key for key, weight in backbone.named_parameters() if weight.grad is None]
        assert not without, name
        assert not any(key.startswith(('timm_model.head.', 'timm_model.fc.')) for key in backbone.state_dict())


def test_frozen_and_its_statistics() -> None:
    frozen = TimmBackbone('resnet18', frozen_stages=4).train()
    assert not frozen.training
    assert not any(module.training for module in frozen.modules())
    assert not any(weight.requires_grad for weight in frozen.parameters())
    fixed = TimmBackbone('resnet18', norm_eval=True).train()
    assert fixed.training
    assert not fixed.timm_model.bn1.training


def test_bands() -> None:
    assert TimmBackbone('resnet18', in_channels=5).timm_model.conv1.in_channels == 5


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ({'model_name': 'resnet1'}, r"has no 'resnet1'; there is .*resnet1"),
        ({'model_name': 'no such network'}, r"has no 'no such network'; timm\.list_models\(\) has the names"),
        ({'model_name': None}, 'has no None'),
        ({'model_name': 'resnet18', 'frozen_stages': 2}, 'must be -1 or 4, got 2'),
        ({'model_name': 'resnet18', 'in_channels': 0}, 'in_channels of TimmBackbone'),
        ({'model_name': 'resnet18', 'out_indices': (2, 1)}, r'\(2, 1\); give some of 0 to 3 in ascending order'),
        ({'model_name': 'resnet18', 'out_indices': (4,)}, r'out_indices of TimmBackbone: \(4,\)'),
        ({'model_name': 'resnet18', 'out_indices': ()}, r'out_indices of TimmBackbone: \(\)'),
        ({'model_name': 'resnet18', 'out_indices': 3}, 'out_indices of TimmBackbone: 3;'),
        ({'model_name': 'mixer_s32_224'}, 'mixer_s32_224 gives no 4 feature maps'),
    ],
)
def test_a_network_that_cannot_be_had(arguments: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        TimmBackbone(**arguments)


def test_a_network_of_one_size_says_so() -> None:
    backbone = TimmBackbone('maxvit_pico_rw_256')
    with pytest.raises(InputError, match='maxvit_pico_rw_256 does not take images of 64 x 64'):
        backbone(torch.rand(1, 3, 64, 64))
