"""Which ResNet a set of weights belongs to."""

import re
from collections.abc import Iterable

_DEPTHS = {
    ('basic', (2, 2, 2, 2)): 18,
    ('basic', (3, 4, 6, 3)): 34,
    ('bottleneck', (3, 4, 6, 3)): 50,
    ('bottleneck', (3, 4, 23, 3)): 101,
    ('bottleneck', (3, 8, 36, 3)): 152,
}


def resnet_layout(names: Iterable[str]) -> tuple[str, tuple[int, ...], int | None] | None:
    """Read the layout of a ResNet off the names of its weights.

    Args:
        names: Keys of the backbone's state dict, such as ``layer1.0.conv1.weight``.

    Returns:
        The kind of block (``'basic'`` or ``'bottleneck'``), the number of blocks of every stage, and the depth where
        the two belong to a standard ResNet; None if the names are not a ResNet's.
    """
    names = set(names)
    found = [re.match(r'layer(\d+)\.(\d+)\.conv1\.', name) for name in names]
    blocks = {(int(match[1]), int(match[2])) for match in found if match}
    if not blocks:
        return None
    kind = 'bottleneck' if any(re.match(r'layer\d+\.\d+\.conv3\.', name) for name in names) else 'basic'
    counts = tuple(sum(stage == number for stage, _ in blocks) for number in sorted({stage for stage, _ in blocks}))
    return kind, counts, _DEPTHS.get((kind, counts))


def describe_backbone(names: Iterable[str]) -> str:
    """Name a backbone in an error message, such as ``ResNet-50 (3-4-6-3 bottleneck blocks)``."""
    layout = resnet_layout(names)
    if layout is None:
        return 'no ResNet'
    kind, counts, depth = layout
    return f'ResNet{f"-{depth}" if depth else ""} ({"-".join(map(str, counts))} {kind} blocks)'
