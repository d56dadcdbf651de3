"""The learning rate of the released pretraining: linear warm-up, then a cosine with one warm restart."""

import math

from mmengine.optim.scheduler.param_scheduler import INF, OptimizerType, _ParamScheduler
from mmengine.registry import PARAM_SCHEDULERS

from projects.false.errors import InputError

_RELEASED_PEAK = 4.8
_WARMUP_START = 0.6
_WARMUP_SHARE = 0.1
_FLOOR = 0.0048
_RESTART_PERIOD = 0.334  # of what follows the warm-up
_FIRST_AMPLITUDE = 3.596849
_SECOND_AMPLITUDE = 1.194913


def released_lr(progress: float, peak: float = _RELEASED_PEAK) -> float:
    """Compute the learning rate at a point of training.

    Args:
        progress: Steps done divided by the total number of steps, in [0, 1].
        peak: Value at the end of the warm-up; everything is in proportion to it. Default: 4.8.

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
    """MMEngine scheduler that sets ``released_lr`` with the optimizer's own learning rate as the peak.

    Args:
        optimizer: The optimizer or its wrapper; MMEngine passes it.
        begin: First step. Default: 0.
        end: Step after the last one; MMEngine's runner fills in the length of training.
        last_step: Step to continue from without a state dict. Default: -1.
        by_epoch: Count epochs instead of iterations; the released recipe counts iterations. Default: False.
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
        cls, *args, begin: int = 0, end: int = INF, by_epoch: bool = True, epoch_length: int | None = None, **kwargs
    ) -> 'ReleasedLR':
        """Build from epochs, for ``dict(type='ReleasedLR', by_epoch=True, end=200, convert_to_iter_based=True)``."""
        if not by_epoch or not epoch_length or epoch_length < 1:
            raise InputError(f'ReleasedLR: no iterations in by_epoch={by_epoch} with epoch_length={epoch_length}')
        end = end if end >= INF else int(end * epoch_length)
        return cls(*args, begin=int(begin * epoch_length), end=end, by_epoch=False, **kwargs)

    def _get_value(self) -> list[float]:
        progress = self.last_step / (self.end - self.begin)
        return [released_lr(progress, peak) for peak in self.base_values]
