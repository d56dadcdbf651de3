"""Adaptive average pooling as two matrix products: the same numbers, and exact in an exported graph."""

import torch
from torch import Tensor, nn


class AveragingPool(nn.Module):
    """What ``nn.AdaptiveAvgPool2d`` computes: the mean of each of n x m bins that may overlap.

    Exporters to ONNX turn the original away, or fix its bins at the size of the example.

    Args:
        output_size: Bins along height and width.

    Shape:
        - input: (N, C, H, W), H and W at least 1
        - output: (N, C, *output_size)
    """

    def __init__(self, output_size: tuple[int, int]) -> None:
        super().__init__()
        self.output_size = output_size

    def forward(self, features: Tensor) -> Tensor:
        """Pool."""
        rows, columns = (
            _averages(length, bins).to(features)
            for length, bins in zip(features.shape[2:], self.output_size, strict=True)
        )
        return rows @ features @ columns.T


def _averages(length: int, bins: int) -> Tensor:
    """(bins, length): row i averages from floor(i L / n) up to, and without, ceil((i + 1) L / n)."""
    weight = torch.zeros(bins, length)
    for number in range(bins):
        first, stop = number * length // bins, -(-(number + 1) * length // bins)
        weight[number, first:stop] = 1 / (stop - first)
    return weight


def replace_pools(module: nn.Module) -> None:
    """Put :class:`AveragingPool` in the place of every ``nn.AdaptiveAvgPool2d`` in a module."""
    for name, child in module.named_children():
        if isinstance(child, nn.AdaptiveAvgPool2d):
            size = child.output_size
            setattr(module, name, AveragingPool(tuple(size) if isinstance(size, tuple | list) else (size, size)))
        else:
            replace_pools(child)
