"""Channels-last memory for the whole network: faster convolutions on CPUs and tensor cores, equal up to rounding."""

import torch
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from torch import Tensor, nn


def to_channels_last(model: nn.Module) -> None:
    """Keep a model's convolution weights, and what its backbone gets, in channels-last memory.

    Args:
        model: Has a ``backbone`` that takes images (N, C, H, W), and perhaps copies of it, as a momentum encoder is.
    """
    model.to(memory_format=torch.channels_last)
    for module in model.modules():
        if type(module) is type(model.backbone):
            module.register_forward_pre_hook(_convert)


def _convert(module: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    images, *rest = inputs
    return (images.contiguous(memory_format=torch.channels_last), *rest)


@HOOKS.register_module()
class ChannelsLastHook(Hook):
    """Switch the runner's model to channels-last before anything runs.

    Weights and input both: with one of them alone every convolution converts back and forth.
    """

    def before_run(self, runner) -> None:
        """Convert the model once."""
        to_channels_last(getattr(runner.model, 'module', runner.model))
