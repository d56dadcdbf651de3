"""Names of weights in timm's networks, from the files that hold such networks under other names."""

import re
from collections.abc import Mapping

from torch import Tensor

PREFIX = 'timm_model.'
_STEM = '_conv_stem.weight'  # marks an EfficientNet of efficientnet_pytorch, or of a library with the same names
_OUTSIDE = {'_conv_stem': 'conv_stem', '_bn0': 'bn1', '_conv_head': 'conv_head', '_bn1': 'bn2', '_fc': 'classifier'}
_BLOCK = re.compile(r'_blocks\.(\d+)\.(\w+)\.(.+)')
_SQUEEZE = {'_se_reduce': 'se.conv_reduce', '_se_expand': 'se.conv_expand', '_depthwise_conv': 'conv_dw'}
_EXPANDED = {'_expand_conv': 'conv_pw', '_project_conv': 'conv_pwl', '_bn0': 'bn1', '_bn1': 'bn2', '_bn2': 'bn3'}
_DIRECT = {'_project_conv': 'conv_pw', '_bn1': 'bn1', '_bn2': 'bn2'}


def timm_names(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Give the weights of a network the names that timm has for them.

    Args:
        weights: Those of timm itself, of a TimmBackbone, whose names begin with :data:`PREFIX`, or of an EfficientNet
            with the names of efficientnet_pytorch. All other names stay.
    """
    if any(name.startswith(PREFIX) for name in weights):
        return {name.removeprefix(PREFIX): value for name, value in weights.items() if name.startswith(PREFIX)}
    if _STEM not in weights:
        return dict(weights)
    places = _places(weights)
    return {_renamed(name, places, weights): value for name, value in weights.items()}


def _places(weights: Mapping[str, Tensor]) -> dict[int, tuple[int, int]]:
    """Return the stage of every block and its place there; a stage begins where the number of channels changes."""
    places: dict[int, tuple[int, int]] = {}
    stage, inside, before = -1, 0, None
    for block in range(1 + max(int(match[1]) for match in map(_BLOCK.match, weights) if match)):
        after = len(weights[f'_blocks.{block}._project_conv.weight'])
        stage, inside = (stage + 1, 0) if after != before else (stage, inside + 1)
        places[block], before = (stage, inside), after
    return places


def _renamed(name: str, places: Mapping[int, tuple[int, int]], weights: Mapping[str, Tensor]) -> str:
    match = _BLOCK.match(name)
    if not match:
        layer, dot, rest = name.partition('.')
        return f'{_OUTSIDE.get(layer, layer)}{dot}{rest}'
    number, layer, rest = int(match[1]), match[2], match[3]
    names = _EXPANDED if f'_blocks.{number}._expand_conv.weight' in weights else _DIRECT
    stage, inside = places[number]
    return f'blocks.{stage}.{inside}.{_SQUEEZE.get(layer) or names.get(layer, layer)}.{rest}'
