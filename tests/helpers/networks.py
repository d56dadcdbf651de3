"""ResNets of four libraries with weights and running statistics that are all different from one another."""

import timm
import torch
import torchvision
from mmengine.registry import MODELS, DefaultScope
from mmengine.utils import import_modules_from_strings
from torch import Tensor, nn

import projects.false.engine  # noqa: F401 registers PretrainedBackbone

IMAGES = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))


def build(kind: str, depth: int, bands: int = 3, **changes) -> nn.Module:
    """A ResNet without a classifier; ``changes`` are arguments of OpenMMLab's."""
    if kind == 'torchvision':
        network = getattr(torchvision.models, f'resnet{depth}')()
        network.fc = nn.Identity()
        return network
    if kind == 'timm':
        return timm.create_model(f'resnet{depth}', num_classes=0, in_chans=bands)
    import_modules_from_strings([f'{kind}.models'])
    with DefaultScope.overwrite_default_scope(kind):
        return MODELS.build(dict(type='ResNet', depth=depth, in_channels=bands, out_indices=(0, 1, 2, 3), **changes))


def randomise(network: nn.Module, seed: int = 0) -> nn.Module:
    """Give it weights that keep activations near 1, and statistics as a training leaves them."""
    generator = torch.Generator().manual_seed(seed)
    for name, value in network.state_dict().items():
        if value.dim() == 4:
            nn.init.kaiming_normal_(value, mode='fan_out', generator=generator)
        elif value.is_floating_point():
            low, high = (0.2, 0.8) if name.endswith(('weight', 'running_var')) else (-0.3, 0.3)
            value.uniform_(low, high, generator=generator)
        else:
            value.fill_(seed + 7)
    return network


def stages(kind: str, network: nn.Module) -> list[Tensor]:
    """The features of all four stages, as the library itself computes them."""
    network.eval()
    with torch.no_grad():
        if kind == 'torchvision':
            names = {f'layer{stage}': str(stage) for stage in (1, 2, 3, 4)}
            return list(torchvision.models._utils.IntermediateLayerGetter(network, names)(IMAGES).values())
        if kind == 'timm':
            return network.forward_intermediates(IMAGES, intermediates_only=True)[1:]  # the first is of the stem
        return list(network(IMAGES))
