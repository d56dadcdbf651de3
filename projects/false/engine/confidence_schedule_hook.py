"""The confidence in determined pairs over training: none while the embeddings know nothing, then more and more."""

import math

from mmengine.hooks import Hook
from mmengine.registry import HOOKS

from projects.false.common.errors import InputError, check_range

SHAPES = ('linear', 'cosine')


def confidence_share(progress: float, start: float, end: float, shape: str) -> float:
    """Share of the full confidence at a point of training.

    0 before ``start``, 1 from ``end`` on. Between them, with x = (progress - start) / (end - start), it is x
    (``linear``) or (1 - cos(pi x)) / 2 (``cosine``).

    Args:
        progress: Iterations done divided by their total number.
        start: End of the warm-up, a share of training in [0, 1].
        end: End of the ramp, a share of training in [start, 1]; a step where it is ``start``.
        shape: ``linear`` or ``cosine``.
    """
    if progress >= end:
        return 1.0
    if progress <= start:
        return 0.0
    x = (progress - start) / (end - start)
    return x if shape == 'linear' else (1 - math.cos(math.pi * x)) / 2


@HOOKS.register_module()
class ConfidenceScheduleHook(Hook):
    """Scale alpha, the ``confidence_weight`` of the losses of a model, over training.

    An untrained head can put all cosines near 1, so that the gate is open before the embeddings mean anything. The
    value depends on the iteration alone: a resumed run continues where it was.

    Args:
        start: Warm-up without confidence, a share of training in [0, 1].
        end: From here on alpha is what the loss was configured with, a share of training in [start, 1].
        shape: How it grows between the two, ``linear`` or ``cosine``.

    Raises:
        InputError: An argument is out of range or, before training, no loss of the model has a confidence.

    Example:
        >>> custom_hooks = [dict(type='ConfidenceScheduleHook', start=0.1, end=0.5, shape='cosine')]
    """

    def __init__(self, start: float = 0.1, end: float = 0.5, shape: str = 'linear') -> None:
        check_range('start (a share of training) of ConfidenceScheduleHook', start, 0, 1)
        check_range('end (a share of training, not before start) of ConfidenceScheduleHook', end, start, 1)
        if shape not in SHAPES:
            raise InputError(f'shape of ConfidenceScheduleHook must be one of {", ".join(SHAPES)}, got {shape!r}')
        self.start, self.end, self.shape = start, end, shape

    def before_train(self, runner) -> None:
        """Find the losses and remember what they were configured with."""
        self._full = [
            (module, module.confidence_weight)
            for module in runner.model.modules()
            if hasattr(module, 'confidence_weight')
        ]
        if not self._full:
            raise InputError(
                'ConfidenceScheduleHook found no loss with a confidence_weight; set model.head.loss.type=FALSELoss or '
                'remove the hook'
            )

    def before_train_iter(self, runner, batch_idx: int, data_batch=None) -> None:
        """Set alpha for the iteration that begins."""
        share = confidence_share(runner.iter / runner.max_iters, self.start, self.end, self.shape)
        for module, full in self._full:
            module.confidence_weight = share * full
        runner.message_hub.update_scalar('train/confidence_weight', share * self._full[0][1])

    def after_train(self, runner) -> None:
        """Leave the losses as they were configured, for another run of the same model."""
        for module, full in self._full:
            module.confidence_weight = full
