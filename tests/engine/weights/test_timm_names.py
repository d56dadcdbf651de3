"""Weights of an EfficientNet find timm's names, whatever names they came under."""

import pytest
import timm
import torch

from projects.false.engine.weights.timm_names import timm_names

# timm's names of the parts of a block, and those of efficientnet_pytorch
EXPANDED = {
    'conv_pw': '_expand_conv', 'bn1': '_bn0', 'conv_dw': '_depthwise_conv', 'bn2': '_bn1', 'conv_pwl': '_project_conv',
    'bn3': '_bn2', 'se.conv_reduce': '_se_reduce', 'se.conv_expand': '_se_expand',
}  # fmt: skip
DIRECT = {**EXPANDED, 'bn1': '_bn1', 'conv_pw': '_project_conv', 'bn2': '_bn2'}
OUTSIDE = {'conv_stem': '_conv_stem', 'bn1': '_bn0', 'conv_head': '_conv_head', 'bn2': '_bn1', 'classifier': '_fc'}


def other_names(state: dict) -> dict:
    """Rename timm's weights as efficientnet_pytorch has them, by its definition of a block."""
    blocks = list(dict.fromkeys(tuple(name.split('.')[1:3]) for name in state if name.startswith('blocks.')))
    renamed = {}
    for name, value in state.items():
        if name.startswith('blocks.'):
            _, stage, inside, *layer, leaf = name.split('.')
            known = EXPANDED if f'blocks.{stage}.{inside}.conv_pwl.weight' in state else DIRECT
            number = blocks.index((stage, inside))
            renamed[f'_blocks.{number}.{known[".".join(layer)]}.{leaf}'] = value
        else:
            layer, leaf = name.split('.')
            renamed[f'{OUTSIDE[layer]}.{leaf}'] = value
    return renamed


@pytest.mark.parametrize('network', ['tf_efficientnet_lite0', 'efficientnet_b0'])
def test_efficientnet_pytorch(network: str) -> None:
    state = timm.create_model(network).state_dict()
    found = timm_names(other_names(state))
    assert found.keys() == state.keys()
    assert all(found[name] is value for name, value in state.items())


def test_a_timm_backbone_and_anything_else() -> None:
    weight = torch.zeros(1)
    assert timm_names({'timm_model.conv.weight': weight, 'queue': weight}) == {'conv.weight': weight}
    assert timm_names({'conv.weight': weight}) == {'conv.weight': weight}
