"""Mixed precision on a GPU and on a CPU alike."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from mmengine.optim import OptimWrapper
from mmengine.registry import OPTIM_WRAPPERS
from torch import nn

from projects.false.errors import InputError


@OPTIM_WRAPPERS.register_module()
class AutocastOptimWrapper(OptimWrapper):
    """Run the forward pass of training under bfloat16 autocast; weights, gradients and updates stay in float32.

    MMEngine's ``AmpOptimWrapper`` refuses to run without a GPU. bfloat16 has the range of float32, so no loss scaling
    is needed.

    Args:
        dtype: ``'bfloat16'``, the one type that needs no scaling. Default: ``'bfloat16'``.
        **kwargs: Arguments of :class:`mmengine.optim.OptimWrapper`: ``optimizer``, ``clip_grad``, ...

    Raises:
        InputError: ``dtype`` is another one, or the GPU has no bfloat16.

    Example:
        >>> optim_wrapper = dict(type='AutocastOptimWrapper', optimizer=dict(type='SGD', lr=0.01))
    """

    def __init__(self, dtype: str = 'bfloat16', **kwargs) -> None:
        if dtype != 'bfloat16':
            raise InputError(f"dtype must be 'bfloat16', got {dtype!r}; for float16 on a GPU use AmpOptimWrapper")
        self.device_type = 'cuda' if torch.cuda.is_available() else 'cpu'
        if self.device_type == 'cuda' and not torch.cuda.is_bf16_supported():
            raise InputError(
                f'{torch.cuda.get_device_name()} has no bfloat16; use AmpOptimWrapper, which takes float16'
            )
        super().__init__(**kwargs)

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Open autocast around the forward pass, inside MMEngine's own context for gradient accumulation."""
        with super().optim_context(model), torch.autocast(self.device_type, dtype=torch.bfloat16):
            yield
