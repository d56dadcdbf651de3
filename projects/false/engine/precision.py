"""Channels-last memory for the whole network: faster convolutions on CPUs and tensor cores, equal up to rounding."""

import torch
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.registry import HOOKS
from torch import Tensor, nn


def to_channels_last(model: nn.Module) -> None:
    """Keep a model's convolution weights, and what its backbone gets, in channels-last memory.

    Args:
        model: Has a ``backbone`` that takes images (N, C, H, W), and perhaps copies of it, as a momentum encoder is.
    """
    model.to(memory_format=torch.channels_last)
    backbone = getattr(model, 'backbone', None)
    for module in model.modules():
        if type(module) is type(backbone) and _convert not in module._forward_pre_hooks.values():
            module.register_forward_pre_hook(_convert)


def in_channels_last(model: nn.Module) -> bool:
    """Whether :func:`to_channels_last` was applied."""
    return _convert in getattr(model, 'backbone', model)._forward_pre_hooks.values()


def _convert(module: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    images, *rest = inputs
    return (images.contiguous(memory_format=torch.channels_last), *rest)


@HOOKS.register_module()
class ChannelsLastHook(Hook):
    """Switch the runner's model to channels-last before anything runs.

    Weights and input both: with one of them alone every convolution converts back and forth. For several processes
    :class:`~projects.false.engine.runner.FALSERunner` converts before it wraps the model: DistributedDataParallel lays
    out its buckets of gradients when it wraps; with weights that change their layout afterwards training goes wrong.
    """

    def before_run(self, runner) -> None:
        """Convert the model once, unless it is wrapped already: then gradients would no longer fit their buckets."""
        if not is_model_wrapper(runner.model):
            to_channels_last(runner.model)
        elif not in_channels_last(runner.model.module):
            runner.logger.warning(
                "the model is wrapped for several processes already and stays as it is: runner_type='FALSERunner' "
                'converts it to channels-last memory before that'
            )
