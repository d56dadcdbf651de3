"""Schedule the confidence in determined pairs: none while the embeddings are untrained, then rising."""

import math

from mmengine.hooks import Hook
from mmengine.registry import HOOKS

from projects.false.common.errors import InputError, check_range

SHAPES = ('linear', 'cosine')


def confidence_share(progress: float, start: float, end: float, shape: str) -> float:
    """Compute the share of the full confidence at a point of training.

    The share is 0 before ``start`` and 1 from ``end`` on. Between them, with x = (progress - start) / (end - start), it
    is x (``linear``) or (1 - cos(pi x)) / 2 (``cosine``).

    Args:
        progress: Iterations done divided by their total number.
        start: End of the warm-up, as a share of training in [0, 1].
        end: End of the ramp, as a share of training in [start, 1]; equal to ``start``, it makes the ramp a step.
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
    """Scale alpha, the ``confidence_weight`` of a model's losses, over training.

    An untrained head can put all cosines near 1, so that the gate opens before the embeddings mean anything. Alpha
    depends on the iteration alone, so a resumed run continues with the same value.

    Args:
        start: Length of the warm-up without confidence, as a share of training in [0, 1].
        end: Share of training, in [start, 1], after which alpha has its configured value.
        shape: Form of the ramp between the two, ``linear`` or ``cosine``.

    Raises:
        InputError: An argument is out of range, or training starts and no loss has a ``confidence_weight``.

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
        """Find the losses and remember their configured alpha."""
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
        """Set alpha for the coming iteration."""
        share = confidence_share(runner.iter / runner.max_iters, self.start, self.end, self.shape)
        for module, full in self._full:
            module.confidence_weight = share * full
        runner.message_hub.update_scalar('train/confidence_weight', share * self._full[0][1])

    def after_train(self, runner) -> None:
        """Restore the configured alpha, since the model may be used for another run."""
        for module, full in self._full:
            module.confidence_weight = full
