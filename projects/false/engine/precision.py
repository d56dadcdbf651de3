"""Where and how to compute: the device, bfloat16 autocast on CPUs and GPUs, and channels-last memory."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.model import is_model_wrapper
from mmengine.optim import OptimWrapper
from mmengine.registry import HOOKS, OPTIM_WRAPPERS
from torch import Tensor, nn

from projects.false.common.errors import InputError


def cpu_has_bfloat16() -> bool:
    """Return True if oneDNN computes bfloat16 on this CPU with its own kernels: from AVX-512 on, or on Arm with BF16.

    Elsewhere it takes reference kernels, which make a training step many times slower than float32.
    """
    return torch.backends.mkldnn.is_available() and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def gpu_has_bfloat16() -> bool:
    """Return True if there is a GPU that computes bfloat16 itself, from Ampere on, instead of emulating it."""
    return torch.cuda.is_available() and torch.cuda.is_bf16_supported(including_emulation=False)


def find_device(name: str | None) -> torch.device:
    """Return the device of an option ``--device``; None takes a GPU if there is one.

    Raises:
        InputError: It is not there, or PyTorch has none of that name.
    """
    try:
        target = torch.device(name or ('cuda' if torch.cuda.is_available() else 'cpu'))
        torch.empty(1, device=target)
    except (RuntimeError, AssertionError) as error:
        raise InputError(
            f'--device {name}: not available ({str(error).splitlines()[0]}); give cpu, or leave it out'
        ) from error
    return target


@OPTIM_WRAPPERS.register_module()
class AutocastOptimWrapper(OptimWrapper):
    """Run the forward pass of training under bfloat16 autocast; weights, gradients and updates stay float32.

    MMEngine's ``AmpOptimWrapper`` refuses to run without a GPU. bfloat16 has the range of float32, so no loss scaling
    is needed. A CPU without bfloat16 trains in float32, which is much faster there; the log says so.

    Args:
        dtype: ``'bfloat16'``, the only supported type, since it needs no loss scaling. Default: ``'bfloat16'``.
        **kwargs: Arguments of :class:`mmengine.optim.OptimWrapper`: ``optimizer``, ``clip_grad``, ...

    Raises:
        InputError: ``dtype`` is not ``'bfloat16'``, or the GPU does not support it.

    Example:
        >>> optim_wrapper = dict(type='AutocastOptimWrapper', optimizer=dict(type='SGD', lr=0.01))
    """

    def __init__(self, dtype: str = 'bfloat16', **kwargs) -> None:
        if dtype != 'bfloat16':
            raise InputError(f"dtype must be 'bfloat16', got {dtype!r}; for float16 on a GPU use AmpOptimWrapper")
        self.device_type = 'cuda' if torch.cuda.is_available() else 'cpu'
        if self.device_type == 'cuda' and not gpu_has_bfloat16():
            raise InputError(
                f'{torch.cuda.get_device_name()} has no bfloat16; use AmpOptimWrapper, which takes float16'
            )
        self.enabled = self.device_type == 'cuda' or cpu_has_bfloat16()
        if not self.enabled:
            print_log('this CPU has no bfloat16 arithmetic: training in float32, which is faster here', 'current')
        super().__init__(**kwargs)

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Enter autocast for the forward pass, inside MMEngine's own context for gradient accumulation."""
        autocast = torch.autocast(self.device_type, dtype=torch.bfloat16, enabled=self.enabled)
        with super().optim_context(model), autocast:
            yield


def to_channels_last(model: nn.Module) -> None:
    """Convert a model's convolution weights, and the input of its backbone, to channels-last memory.

    Args:
        model: Model with a ``backbone`` that takes images (N, C, H, W), and perhaps copies of it (momentum encoder).
    """
    model.to(memory_format=torch.channels_last)
    backbone = getattr(model, 'backbone', None)
    for module in model.modules():
        if type(module) is type(backbone) and _convert not in module._forward_pre_hooks.values():
            module.register_forward_pre_hook(_convert)


def in_channels_last(model: nn.Module) -> bool:
    """Return True if :func:`to_channels_last` was applied."""
    return _convert in getattr(model, 'backbone', model)._forward_pre_hooks.values()


def _convert(module: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    images, *rest = inputs
    return (images.contiguous(memory_format=torch.channels_last), *rest)


@HOOKS.register_module()
class ChannelsLastHook(Hook):
    """Convert the runner's model to channels-last memory before anything runs.

    Both weights and input are converted; if only one of them were, every convolution would convert back and forth. With
    several processes :class:`~projects.false.engine.runner.FALSERunner` converts the model before it wraps it, since
    DistributedDataParallel lays out its gradient buckets when it wraps the model. Weights whose layout changes
    afterwards get wrong gradients.
    """

    def before_run(self, runner) -> None:
        """Convert the model unless it is already wrapped, since its gradients would not fit their buckets then."""
        if not is_model_wrapper(runner.model):
            to_channels_last(runner.model)
        elif not in_channels_last(runner.model.module):
            runner.logger.warning(
                "the model is already wrapped for several processes and stays as it is; set runner_type='FALSERunner' "
                'to convert it to channels-last memory before wrapping'
            )
