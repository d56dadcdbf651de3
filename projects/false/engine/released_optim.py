"""SGD with momentum over LARC, the optimizer of the released pretraining."""

from collections import defaultdict

import torch
from mmengine.registry import OPTIMIZERS
from torch import Tensor
from torch.optim import Optimizer

from projects.false.errors import InputError


def larc_gradients(
    params: list[Tensor], grads: list[Tensor], weight_decay: float, trust_coefficient: float, eps: float
) -> list[Tensor]:
    """Scale every gradient to the size of its parameter.

    With norms ``|p| > 0`` and ``|g| > 0``: ``(g + wd p) * trust |p| / (|g| + wd |p| + eps)``. A parameter of zero
    norm or zero gradient keeps its raw gradient, without decay. The norms stay on the device.

    Args:
        params: Parameters of one device and data type.
        grads: Their gradients.
        weight_decay: wd, at least 0.
        trust_coefficient: Length of a step relative to the parameter's norm, above 0.
        eps: Added to the denominator, at least 0.

    Returns:
        New gradients.
    """
    norm_type = torch.promote_types(params[0].dtype, torch.float32)
    param_norms = torch.stack(torch._foreach_norm(params, 2, dtype=norm_type))
    grad_norms = torch.stack(torch._foreach_norm(grads, 2, dtype=norm_type))
    active = (param_norms > 0) & (grad_norms > 0)
    trust = trust_coefficient * param_norms / (grad_norms + weight_decay * param_norms + eps)
    scale = torch.where(active, trust, 1.0).to(params[0].dtype).unbind()
    if weight_decay:
        decay = (active.to(norm_type) * weight_decay).to(params[0].dtype).unbind()
        grads = torch._foreach_add(torch._foreach_mul(params, decay), grads)
    return list(torch._foreach_mul(grads, scale))


@OPTIMIZERS.register_module()
class LARC(Optimizer):
    """Layer-wise adaptive rate scaling over SGD with momentum, as in the released FALSE recipe.

    Unlike mmpretrain's ``LARS`` the learning rate stays outside the momentum buffer, and normalization weights and
    biases are scaled like every other parameter. Give them no weight decay by ``paramwise_cfg``.

    Args:
        params: Parameters or parameter groups.
        lr: Learning rate, at least 0. The released recipe peaks at 4.8.
        momentum: In [0, 1). Default: 0.9.
        weight_decay: At least 0. Default: 1e-6.
        trust_coefficient: Above 0. Default: 0.001.
        eps: At least 0. Default: 1e-8.

    Raises:
        InputError: A value is out of range.

    Example:
        >>> optim_wrapper = dict(
        ...     optimizer=dict(type='LARC', lr=4.8, weight_decay=1e-6),  # named, else MMEngine has nothing to multiply
        ...     paramwise_cfg=dict(norm_decay_mult=0.0))
    """

    def __init__(
        self,
        params,
        lr: float,
        momentum: float = 0.9,
        weight_decay: float = 1e-6,
        trust_coefficient: float = 0.001,
        eps: float = 1e-8,
    ) -> None:
        defaults = {
            'lr': lr,
            'momentum': momentum,
            'weight_decay': weight_decay,
            'trust_coefficient': trust_coefficient,
            'eps': eps,
        }
        super().__init__(params, defaults)

    def add_param_group(self, param_group: dict) -> None:
        """Add a group whose values override the defaults."""
        ranges = {
            'lr': ('at least 0', lambda value: value >= 0),
            'momentum': ('in [0, 1)', lambda value: 0 <= value < 1),
            'weight_decay': ('at least 0', lambda value: value >= 0),
            'trust_coefficient': ('above 0', lambda value: value > 0),
            'eps': ('at least 0', lambda value: value >= 0),
        }
        for name, (expected, holds) in ranges.items():
            value = param_group.get(name, self.defaults[name])
            if not holds(value):
                raise InputError(f'LARC: {name} must be {expected}, got {value}')
        super().add_param_group(param_group)

    @torch.no_grad()
    def step(self, closure=None):
        """Update every parameter that has a gradient.

        Args:
            closure: Evaluates the model again and returns the loss.

        Returns:
            The closure's loss, or None.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        # MMEngine's paramwise_cfg makes a group of every parameter; alike ones are updated together.
        batches: dict[tuple, list[Tensor]] = defaultdict(list)
        for group in self.param_groups:
            settings = tuple(group[name] for name in ('lr', 'momentum', 'weight_decay', 'trust_coefficient', 'eps'))
            for param in group['params']:
                if param.grad is None:
                    continue
                if param.grad.is_sparse:
                    raise RuntimeError('LARC does not support sparse gradients; use an embedding with sparse=False')
                batches[(param.device, param.dtype, *settings)].append(param)
        for (_, _, lr, momentum, *larc_settings), params in batches.items():
            updates = larc_gradients(params, [param.grad for param in params], *larc_settings)
            if momentum:
                buffers = [self._buffer(param) for param in params]
                torch._foreach_mul_(buffers, momentum)
                torch._foreach_add_(buffers, updates)
                updates = buffers
            torch._foreach_add_(params, updates, alpha=-lr)
        return loss

    def _buffer(self, param: Tensor) -> Tensor:
        if 'momentum_buffer' not in self.state[param]:
            self.state[param]['momentum_buffer'] = torch.zeros_like(param)
        return self.state[param]['momentum_buffer']
