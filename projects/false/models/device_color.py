"""Colour steps on a batch of float images, each with its own amount: the arithmetic of datasets/color_jitter.py.

Shapes of all functions: images (N, 3, H, W), red, green, blue, in grey levels 0 to 255; amounts (N,). They return new
images of the same shape.
"""

import torch
from torch import Tensor

LUMA = (0.299, 0.587, 0.114)  # of red, green, blue


def luma(images: Tensor) -> Tensor:
    """Brightness as the eye weighs it, (N, 1, H, W)."""
    red, green, blue = images.split(1, dim=1)
    return (LUMA[0] * red).add_(green, alpha=LUMA[1]).add_(blue, alpha=LUMA[2])


def _blend(images: Tensor, other: Tensor, factors: Tensor) -> Tensor:
    return torch.lerp(other, images, factors.view(-1, 1, 1, 1)).clamp_(0, 255)


def adjust_brightness(images: Tensor, factors: Tensor) -> Tensor:
    """Scale all grey levels."""
    return (images * factors.view(-1, 1, 1, 1)).clamp_(0, 255)


def adjust_contrast(images: Tensor, factors: Tensor) -> Tensor:
    """Spread grey levels around the mean luma."""
    return _blend(images, luma(images).mean((1, 2, 3), keepdim=True).round_().expand_as(images), factors)


def adjust_saturation(images: Tensor, factors: Tensor) -> Tensor:
    """Blend with the grey image."""
    return _blend(images, luma(images).expand_as(images), factors)


def adjust_hue(images: Tensor, shifts: Tensor) -> Tensor:
    """Turn the hue by ``shifts`` of a full circle; value (the largest band) and saturation stay."""
    red, green, blue = images.unbind(1)
    value, lowest = images.amax(1), images.amin(1)
    chroma = value - lowest
    # In sixths of the circle: 0 red, 2 green, 4 blue. Grey pixels have no hue; any does, since their chroma is 0.
    distance = chroma.clamp(min=1e-6)
    hue = torch.where(
        value == red,
        (green - blue) / distance,
        torch.where(value == green, (blue - red) / distance + 2, (red - green) / distance + 4),
    )
    hue += shifts.view(-1, 1, 1) * 6
    bands = []
    for start in (5, 3, 1):  # each band is at its lowest for a third of the circle and at its highest for another
        place = (hue + start).remainder_(6)
        rise = torch.minimum(place, 4 - place).clamp_(0, 1)
        bands.append(value - chroma * rise)
    return torch.stack(bands, dim=1)


ADJUST = (adjust_brightness, adjust_contrast, adjust_saturation, adjust_hue)  # in the order of view_steps
