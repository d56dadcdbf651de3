"""Optimizer and learning rate of the authors' release: LARC over SGD, warm-up, and a cosine with one restart."""

import math
from collections import defaultdict

import torch
from mmengine.optim.scheduler.param_scheduler import INF, OptimizerType, _ParamScheduler
from mmengine.registry import OPTIMIZERS, PARAM_SCHEDULERS
from torch import Tensor
from torch.optim import Optimizer

from projects.false.common.errors import InputError


def larc_gradients(
    params: list[Tensor], grads: list[Tensor], weight_decay: float, trust_coefficient: float, eps: float
) -> list[Tensor]:
    """Scale every gradient to the norm of its parameter.

    With norms ``|p| > 0`` and ``|g| > 0``: ``(g + wd p) * trust |p| / (|g| + wd |p| + eps)``. A parameter of zero
    norm or zero gradient keeps its raw gradient, without decay. The norms stay on the device.

    Args:
        params: Parameters of one device and data type.
        grads: Their gradients.
        weight_decay: wd, at least 0.
        trust_coefficient: Step length relative to the norm of the parameter, above 0.
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
        grads = list(torch._foreach_add(torch._foreach_mul(params, decay), grads))
    return list(torch._foreach_mul(grads, scale))


@OPTIMIZERS.register_module()
class LARC(Optimizer):
    """Layer-wise adaptive rate scaling over SGD with momentum, as in the released FALSE recipe.

    Unlike in mmpretrain's ``LARS``, the learning rate stays outside the momentum buffer, and normalization weights and
    biases are scaled like every other parameter. Exempt them from weight decay with ``paramwise_cfg``.

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
        ...     optimizer=dict(type='LARC', lr=4.8, weight_decay=1e-6),  # explicit, as MMEngine multiplies it
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
        """Add a parameter group, whose values override the defaults."""
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
            closure: Function that evaluates the model again and returns the loss.

        Returns:
            The closure's loss, or None.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        # MMEngine's paramwise_cfg puts every parameter into its own group; merge groups with equal settings.
        batches = defaultdict(list)  # settings -> parameters
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


_RELEASED_PEAK = 4.8
_WARMUP_START = 0.6
_WARMUP_SHARE = 0.1
_FLOOR = 0.0048
_RESTART_PERIOD = 0.334  # as a share of the steps after the warm-up
_FIRST_AMPLITUDE = 3.596849
_SECOND_AMPLITUDE = 1.194913


def released_lr(progress: float, peak: float = _RELEASED_PEAK) -> float:
    """Compute the learning rate at a point of training.

    Args:
        progress: Steps done divided by the total number of steps, in [0, 1].
        peak: Nominal value at the end of the warm-up, which scales the whole schedule. Default: 4.8.

    Returns:
        The learning rate.

    Raises:
        ValueError: ``progress`` is outside [0, 1].

    Example:
        >>> released_lr(0.0), round(released_lr(0.1), 6)
        (0.6, 3.596849)
    """
    if not 0 <= progress <= 1:
        raise ValueError(f'progress must be in [0, 1], got {progress}')
    if progress < _WARMUP_SHARE:
        value = _WARMUP_START + (_RELEASED_PEAK - _WARMUP_START) * progress / _WARMUP_SHARE
    else:
        rest = (progress - _WARMUP_SHARE) / (1 - _WARMUP_SHARE)
        amplitude = _FIRST_AMPLITUDE if rest < _RESTART_PERIOD else _SECOND_AMPLITUDE
        value = _FLOOR + (amplitude - _FLOOR) * (1 + math.cos(math.pi * rest / _RESTART_PERIOD)) / 2
    return value * (peak / _RELEASED_PEAK)


@PARAM_SCHEDULERS.register_module()
class ReleasedLR(_ParamScheduler):
    """Set the learning rate by :func:`released_lr`, with the optimizer's own learning rate as the peak.

    Args:
        optimizer: The optimizer or its wrapper, passed by MMEngine.
        begin: First step. Default: 0.
        end: Step after the last one, filled in by MMEngine's runner with the length of training.
        last_step: Step to continue from without a state dict. Default: -1.
        by_epoch: Count epochs instead of iterations, unlike the released recipe. Default: False.
        verbose: Print every value. Default: False.

    Raises:
        InputError: The length of training is unknown.

    Example:
        >>> param_scheduler = [dict(type='ReleasedLR', by_epoch=False)]
    """

    def __init__(
        self,
        optimizer: OptimizerType,
        begin: int = 0,
        end: int = INF,
        last_step: int = -1,
        by_epoch: bool = False,
        verbose: bool = False,
    ) -> None:
        if end >= INF:
            raise InputError('ReleasedLR needs the length of training: set end=<number of steps>')
        super().__init__(optimizer, 'lr', begin, end, last_step, by_epoch, verbose)

    @classmethod
    def build_iter_from_epoch(
        cls,
        optimizer: OptimizerType,
        begin: int = 0,
        end: int = INF,
        last_step: int = -1,
        by_epoch: bool = True,
        verbose: bool = False,
        epoch_length: int | None = None,
    ) -> 'ReleasedLR':
        """Build from epochs, for ``dict(type='ReleasedLR', by_epoch=True, end=200, convert_to_iter_based=True)``."""
        if not by_epoch or not epoch_length or epoch_length < 1:
            raise InputError(
                f'ReleasedLR cannot count iterations with by_epoch={by_epoch} and epoch_length={epoch_length}; set '
                'by_epoch=True and train by epochs'
            )
        end = end if end >= INF else int(end * epoch_length)
        return cls(optimizer, int(begin * epoch_length), end, last_step, by_epoch=False, verbose=verbose)

    def _get_value(self) -> list[float]:
        progress = self.last_step / (self.end - self.begin)
        return [released_lr(progress, peak) for peak in self.base_values]
