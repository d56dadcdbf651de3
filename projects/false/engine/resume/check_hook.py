"""A run that goes on with other processes or another batch says so, and is asked whether that is meant."""

from typing import Any

from mmengine.dist import get_world_size
from mmengine.hooks import Hook
from mmengine.optim import _ParamScheduler
from mmengine.registry import HOOKS
from mmengine.runner import EpochBasedTrainLoop
from mmengine.utils import is_list_of

from projects.false.common.random_state import ExactResumeHook
from projects.false.errors import InputError

from ..schedule_position import FreshSchedules
from ..within_epoch import begin_within_epoch, end_epoch
from .global_batch import GlobalBatch, accumulation_of, compare, place

_NOTE = 'global_batch'


@HOOKS.register_module()
class ResumeCheckHook(Hook):
    """Note processes and global batch in every checkpoint and compare on resuming; loading weights compares nothing.

    A checkpoint from within an epoch goes on with the rest of the epoch's batches, or is refused. Where the global
    batch or the length of an epoch changed, training that is counted in epochs goes on after the same number of epochs,
    training that is counted in iterations after the same number of iterations, and the schedules are those of the
    present config at that place.

    Args:
        allow_other_batch: Go on with another global batch (``--allow-other-batch``). Default: False.

    Raises:
        InputError: On resuming, if the global batch changed and that is not allowed.

    Example:
        >>> custom_hooks = [dict(type='ResumeCheckHook')]
    """

    priority = 5  # before hooks that start to count at the runner's iteration, and before StartChecksHook says the rate

    def __init__(self, allow_other_batch: bool = False) -> None:
        self.allow_other_batch = allow_other_batch
        self._loaded: dict[str, Any] | None = None
        self._fresh: FreshSchedules | None = None

    def before_run(self, runner) -> None:
        """Keep the schedules as the config builds them."""
        if is_list_of(runner.param_schedulers, _ParamScheduler):  # nothing is built where a run only tests
            self._fresh = FreshSchedules(runner)

    def before_save_checkpoint(self, runner, checkpoint: dict) -> None:
        """Note processes and batch."""
        now = _global_batch(runner)
        if now is not None:
            checkpoint['meta'][_NOTE] = dict(now._asdict())

    def after_load_checkpoint(self, runner, checkpoint: dict) -> None:
        """Keep the note until it is known whether this run continues the checkpoint's."""
        self._loaded = checkpoint.get('meta') if isinstance(checkpoint, dict) else None

    def before_train(self, runner) -> None:
        """Compare, and move to the right place."""
        meta, self._loaded = self._loaded, None
        now = _global_batch(runner)
        # Only Runner.resume sets the iteration counter; Runner.load_checkpoint leaves it at 0.
        if not meta or now is None or runner.iter == 0 or runner.iter != meta.get('iter'):
            return
        before = GlobalBatch(**meta[_NOTE]) if _NOTE in meta else None
        said = compare(before, now, self.allow_other_batch)
        if said:
            runner.logger.info(said)
        if before is None:
            return
        if (before.images, before.epoch_length) != (now.images, now.epoch_length):
            self._move(runner, before, now)
        done = runner.iter - runner.epoch * now.epoch_length if before.epoch_length and now.epoch_length else 0
        if done:
            begin_within_epoch(runner.train_loop, done, now.per_process)

    def after_train_epoch(self, runner) -> None:
        """Leave the next epochs as they are."""
        end_epoch(runner.train_loop)

    def _move(self, runner, before: GlobalBatch, now: GlobalBatch) -> None:
        runner.train_loop._iter = place(before, now, runner.iter)
        for hook in runner.hooks:
            if isinstance(hook, ExactResumeHook):
                hook.go_on_at(runner.iter)
        if self._fresh is not None:
            self._fresh.restore_at(runner, runner.epoch, runner.iter, now.epoch_length)
        elif runner.param_schedulers:
            raise InputError('several optimizers cannot go on with another global batch; resume with the one before')
        runner.optim_wrapper.initialize_count_status(runner.model, runner.iter, runner.max_iters)
        epochs = f'epoch {runner.epoch} (of {now.epoch_length} iterations, before {before.epoch_length}), '
        place_now = f'{epochs if now.epoch_length else ""}iteration {runner.iter} of {runner.max_iters}'
        runner.logger.info(f'goes on after {place_now}; learning rate and schedule are those of the present config')


def _global_batch(runner) -> GlobalBatch | None:
    loader = runner.train_dataloader
    size = getattr(loader, 'batch_size', None) or getattr(getattr(loader, 'batch_sampler', None), 'batch_size', None)
    if size is None:
        return None
    epochs = isinstance(runner.train_loop, EpochBasedTrainLoop)
    return GlobalBatch(get_world_size(), size, len(loader) if epochs else None, accumulation_of(runner.optim_wrapper))
