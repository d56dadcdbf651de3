"""Names and shapes that the weights of a standard ResNet have."""

import torch

DEPTHS = (18, 34, 50, 101, 152)


def resnet_shapes(depth: int, bands: int = 3) -> dict[str, tuple[int, ...]]:
    """Shapes by name of a ResNet without its classifier, as torchvision, timm and OpenMMLab all name them.

    Args:
        depth: One of :data:`DEPTHS`.
        bands: Channels of the images.
    """
    from torchvision import models

    with torch.device('meta'):
        state = getattr(models, f'resnet{depth}')().state_dict()
    shapes = {name: tuple(value.shape) for name, value in state.items() if not name.startswith('fc.')}
    shapes['conv1.weight'] = (64, bands, 7, 7)
    return shapes
