"""Stop a run at the first loss that is NaN or infinite, and report what is needed to find the cause."""

import math
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from mmengine.dist import get_rank, get_world_size
from mmengine.hooks import Hook
from mmengine.registry import HOOKS

from projects.false.common.errors import InputError
from projects.false.common.files import write_text

from .checkpoints.latest import pointed_to


def not_finite(losses: Mapping[str, float]) -> dict[str, float]:
    """Return the losses that are NaN or infinite."""
    return {name: value for name, value in losses.items() if 'loss' in name and not math.isfinite(value)}


def image_paths(data_batch: Any) -> list[str]:
    """List the image files of a batch of mmpretrain or mmseg; empty if the batch does not name them."""
    samples = data_batch.get('data_samples') if isinstance(data_batch, Mapping) else None
    if not isinstance(samples, Sequence):
        return []
    paths = (getattr(sample, 'metainfo', {}).get('img_path') for sample in samples)
    return [str(path) for path in paths if path is not None]


def message(
    iteration: int, rates: Sequence[float], temperature: float | None, details: str | None, last: str | None
) -> str:
    """Compose the error message, the same on all processes so that it is printed once.

    Args:
        iteration: The iteration, counted from 1 as in the log.
        rates: Learning rates of the step.
        temperature: Temperature of the contrastive loss, if there is one.
        details: File that lists the losses and the images of the batch; None if it could not be written.
        last: The last checkpoint; None if there is none.
    """
    facts = f'learning rate {", ".join(f"{rate:g}" for rate in rates)}'
    if temperature is not None:
        facts += f', temperature {temperature:g}'
    ways = 'lower the learning rate' + (' or raise model.head.loss.temperature' if temperature is not None else '')
    ways += f', look at the images that {details} lists' if details else ''
    ways += f', and continue from {last} with --resume' if last else ', and start again: there is no checkpoint yet'
    return f'the loss is not finite at iteration {iteration} ({facts}); {ways}'


@HOOKS.register_module()
class FiniteLossHook(Hook):
    """Stop a run whose loss is not finite, before a checkpoint or a backbone is written.

    Every process checks its own loss values, which MMEngine has already recorded for the log, so there is no extra wait
    for the GPU. Each process that finds such a loss lists its losses and the images of its batch in
    ``WORK_DIR/non_finite_loss_iter_<n>_rank_<r>.txt``.

    Raises:
        InputError: A loss is NaN or infinite.

    Example:
        >>> custom_hooks = [dict(type='FiniteLossHook')]
    """

    priority = 'HIGH'  # after MMEngine records the values, before weight averages, schedules and checkpoints

    def after_train_iter(self, runner, batch_idx: int, data_batch=None, outputs=None) -> None:
        """Check the losses of the step."""
        logged = runner.message_hub.log_scalars
        losses = {name: logged[f'train/{name}'].current() for name in outputs or () if f'train/{name}' in logged}
        broken = not_finite(losses)
        if not broken:
            return
        iteration = runner.iter + 1
        stem = os.path.join(runner.work_dir, f'non_finite_loss_iter_{iteration}_rank_')
        details: str | None
        values = ', '.join(f'{name} is {value}' for name, value in broken.items())
        try:
            listed = ''.join(f'{path}\n' for path in image_paths(data_batch) or ['# images unknown'])
            write_text(f'{stem}{get_rank()}.txt', f'# {values}\n{listed}')
            details = stem + ('*.txt' if get_world_size() > 1 else '0.txt')
        except OSError:
            details = None  # a full disk must not hide the loss
        model = getattr(runner.model, 'module', runner.model)
        temperature = getattr(getattr(getattr(model, 'head', None), 'loss_module', None), 'temperature', None)
        if temperature is not None:
            with suppress(TypeError, ValueError):
                temperature = float(temperature)
        groups = runner.optim_wrapper.get_lr()
        rates = sorted({rate for name, values in groups.items() if name.endswith('lr') for rate in values})
        last = pointed_to(runner.work_dir)  # the message hub may name a folder that was moved since
        raise InputError(message(iteration, rates, temperature, details, last))
