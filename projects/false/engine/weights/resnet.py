"""Find a ResNet in the checkpoint of any library, determine its depth, and list the shapes of a standard one."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from projects.false.common.errors import InputError

from .matching import check_finite

DEPTHS = (18, 34, 50, 101, 152)
_STANDARD: dict[tuple[str, tuple[int, ...]], int] = {  # kind and number of blocks: depth
    ('basic', (2, 2, 2, 2)): 18,
    ('basic', (3, 4, 6, 3)): 34,
    ('bottleneck', (3, 4, 6, 3)): 50,
    ('bottleneck', (3, 4, 23, 3)): 101,
    ('bottleneck', (3, 8, 36, 3)): 152,
}


def resnet_layout(names: Iterable[str]) -> tuple[str, tuple[int, ...], int | None] | None:
    """Determine the layout of a ResNet from the names of its weights.

    Args:
        names: Keys of the backbone's state dict, such as ``layer1.0.conv1.weight``.

    Returns:
        The kind of block (``'basic'`` or ``'bottleneck'``), the number of blocks of every stage, and the depth if it is
        a standard ResNet, else None. The result itself is None if the names are not a ResNet's.
    """
    names = set(names)
    found = [re.match(r'layer(\d+)\.(\d+)\.conv1\.', name) for name in names]
    blocks = {(int(match[1]), int(match[2])) for match in found if match}
    if not blocks:
        return None
    kind = 'bottleneck' if any(re.match(r'layer\d+\.\d+\.conv3\.', name) for name in names) else 'basic'
    counts = tuple(sum(stage == number for stage, _ in blocks) for number in sorted({stage for stage, _ in blocks}))
    return kind, counts, _STANDARD.get((kind, counts))


def describe_backbone(names: Iterable[str]) -> str:
    """Describe a backbone for messages, such as ``ResNet-50 (3-4-6-3 bottleneck blocks)``."""
    layout = resnet_layout(names)
    if layout is None:
        return 'no ResNet'
    kind, counts, depth = layout
    return f'ResNet{f"-{depth}" if depth else ""} ({"-".join(map(str, counts))} {kind} blocks)'


def resnet_shapes(depth: int, bands: int = 3) -> dict[str, tuple[int, ...]]:
    """Return the shapes of a ResNet without its classifier, by the names that torchvision, timm and OpenMMLab share.

    Args:
        depth: One of :data:`DEPTHS`.
        bands: Number of channels of the images.
    """
    from torchvision import models

    with torch.device('meta'):
        state = getattr(models, f'resnet{depth}')().state_dict()
    shapes = {name: tuple(value.shape) for name, value in state.items() if not name.startswith('fc.')}
    shapes['conv1.weight'] = (64, bands, 7, 7)
    return shapes


# Keys that lead to the weights of a checkpoint, tried in this order: OpenMMLab, MoCo and most others; then VISSL; then
# files of weights alone. Where none of them has a ResNet, the whole file is searched.
_KEY_PATHS = (
    ('state_dict',),
    ('model_state_dict',),
    ('classy_state_dict', 'base_model', 'model', 'trunk'),
    ('model',),
    (),
)
# Prefixes of a ResNet among the weights, preferred in this order: OpenMMLab, the query encoder of MoCo (official, and
# with its neck as in mmselfsup 0.x), VISSL's trunk, none.
_PREFIXES = ('backbone.', 'encoder_q.', 'encoder_q.0.', '_feature_blocks.', '')
# An encoder with such a word in its prefix follows another one, and is only taken if the user names it. DINO is the
# other way round: its authors evaluate the teacher, which follows the student.
_FOLLOWS = re.compile(r'momentum|target|student|key_encoder|(^|[._])(k|ema)[._]')
_MARK = 'layer1.0.conv1.weight'  # every ResNet has it
# Children of a ResNet in a plain nn.Sequential, as lightly and SeCo save it, and their usual names.
_CHILDREN = {'0': 'conv1', '1': 'bn1', '4': 'layer1', '5': 'layer2', '6': 'layer3', '7': 'layer4'}
_PARTS = re.compile(r'(conv1|bn1|stem|layer\d+)\.')


@dataclass(frozen=True)
class FoundResNet:
    """A ResNet in a checkpoint.

    Attributes:
        prefix: Prefix of the names of its weights, such as ``module.encoder_q.``.
        weights: All tensors under the prefix, by their names without it. That includes others, such as ``fc.``.
        others: Names of the tensors outside the prefix.
    """

    prefix: str
    weights: dict[str, Tensor]
    others: list[str]


def tensors_of(checkpoint: Any) -> dict[str, Tensor]:
    """Return the tensors of a checkpoint by name; empty without any.

    They come from the key where the checkpoint's library keeps them. If no such key has a ResNet but another place in
    the file does, all tensors of the file are returned, by names that begin with their keys
    (``teacher.backbone.conv1.weight``).
    """
    first: dict[str, Tensor] = {}
    for path in _KEY_PATHS:
        inner = checkpoint
        for key in path:
            inner = inner.get(key) if isinstance(inner, Mapping) else None
        if isinstance(inner, Mapping):
            tensors = _usual_names({str(name): value for name, value in inner.items() if isinstance(value, Tensor)})
            if any(map(is_resnet, tensors)):
                return tensors
            first = first or tensors
    everything = _usual_names(dict(_flat(checkpoint)))
    return everything if any(map(is_resnet, everything)) or not first else first


def _flat(node: Any, above: str = '') -> Iterator[tuple[str, Tensor]]:
    for name, value in node.items() if isinstance(node, Mapping) else ():
        if isinstance(value, Tensor):
            yield f'{above}{name}', value
        else:
            yield from _flat(value, f'{above}{name}.')


def _usual_names(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Rename the children of every ResNet that is saved as a plain sequence."""
    mark = f'4.{_MARK.partition(".")[2]}'
    found = [name.removesuffix(mark) for name in tensors if name == mark or name.endswith(f'.{mark}')]
    sequences = [prefix for prefix in found if f'{prefix}0.weight' in tensors and f'{prefix}1.running_var' in tensors]
    renamed = {}
    for name, value in tensors.items():
        for prefix in sequences:
            child, dot, rest = name.removeprefix(prefix).partition('.')
            if name.startswith(prefix) and child in _CHILDREN:
                name = f'{prefix}{_CHILDREN[child]}{dot}{rest}'
                break
        renamed[name] = value
    return renamed


def is_part(name: str) -> bool:
    """Return True if a name, without a prefix, is that of a weight of a ResNet and not of its classifier or a head."""
    return _PARTS.match(name) is not None


def is_resnet(name: str) -> bool:
    """Return True if a name is that of the weight that marks a ResNet, under any prefix."""
    return re.search(rf'(^|\.){re.escape(_MARK)}$', name) is not None


def find_resnet(checkpoint: Any, name: str, prefix: str | None = None, option: str = '--prefix ') -> FoundResNet:
    """Find the ResNet of a checkpoint.

    Args:
        checkpoint: A checkpoint, as :func:`~projects.false.engine.checkpoints.files.read_checkpoint` returns it.
        name: The file, for messages.
        prefix: Prefix of the ResNet's weights; None searches for it.
        option: Command-line option that chooses a prefix, for messages; the prefix is appended to it.

    Raises:
        InputError: There is no ResNet, or there are several and none under a usual prefix, or its weights are not
            finite.
    """
    tensors = tensors_of(checkpoint)
    prefixes = [key.removesuffix(_MARK) for key in tensors if is_resnet(key)]
    if prefix is None:
        prefix = _choose(prefixes, tensors, name, option)
    elif prefix not in prefixes:
        raise InputError(f'{name}: no ResNet under the prefix {prefix!r}; {_known(prefixes, checkpoint, tensors)}')
    if prefix is None:
        known = _known([], checkpoint, tensors)
        raise InputError(f'{name}: holds no ResNet, 0 of its {len(tensors)} tensors match; {known}')
    inside = {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
    check_finite(inside, name)
    return FoundResNet(prefix, inside, [key for key in tensors if not key.startswith(prefix)])


def _choose(prefixes: list[str], tensors: Mapping[str, Tensor], name: str, option: str) -> str | None:
    for usual in _PREFIXES:
        for wrapped in (usual, f'module.{usual}'):
            if wrapped in prefixes:
                return wrapped
    leading = [prefix for prefix in prefixes if not _FOLLOWS.search(prefix)] or prefixes
    marks = [tensors[prefix + _MARK] for prefix in leading]
    if len(leading) > 1 and not all(torch.equal(mark, marks[0]) for mark in marks):
        shown = ', '.join(map(repr, prefixes))
        raise InputError(f'{name}: several ResNets, under {shown}; choose one with {option}{leading[0]}')
    return leading[0] if leading else None


def _known(prefixes: list[str], checkpoint: Any, tensors: Mapping[str, Tensor]) -> str:
    if prefixes:
        return f'there is one under {" and one under ".join(map(repr, prefixes))}'
    first = ', '.join(list(tensors)[:3])
    if first:
        return f'its names are {first}, ...; give a checkpoint of a ResNet'
    keys = ', '.join(map(str, list(checkpoint)[:5])) if isinstance(checkpoint, Mapping) and checkpoint else ''
    return f'it holds {keys}; give a file with weights' if keys else 'give a file with weights'
