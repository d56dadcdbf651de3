"""Check on resuming what changed since the checkpoint, and move data loader and schedules to its position."""

import copy
import warnings
from typing import Any

from mmengine.dist import get_world_size
from mmengine.hooks import Hook
from mmengine.optim import _ParamScheduler
from mmengine.registry import HOOKS
from mmengine.runner import EpochBasedTrainLoop
from mmengine.utils import is_list_of

from projects.false.common.errors import InputError

from .exact_hook import ExactResumeHook
from .global_batch import GlobalBatch, accumulation_of, compare_batches, equivalent_iteration

_NOTE = 'global_batch'  # key in the meta of a checkpoint


class FreshSchedules:
    """The schedules of a run as built from its config, which replace those of a checkpoint.

    A checkpoint restores the length and the learning rate of its own schedules. MMEngine's schedules compute each value
    from the previous one, so they are replayed step by step up to the new position.

    Args:
        runner: Runner whose optimizer and schedules are built but not resumed yet.
    """

    def __init__(self, runner) -> None:
        self._schedules = [copy.deepcopy(schedule.state_dict()) for schedule in runner.param_schedulers]
        names = {schedule.param_name for schedule in runner.param_schedulers}
        self._names = names | {f'initial_{name}' for name in names}
        self._values = [self._pick(group) for group in runner.optim_wrapper.param_groups]

    def restore_at(self, runner, epoch: int, iteration: int, epoch_length: int | None) -> None:
        """Set the schedules of a resumed runner to their state after a number of iterations.

        Args:
            runner: The runner.
            epoch: Completed epochs. An epoch counts only after its last iteration is over.
            iteration: Completed iterations.
            epoch_length: Iterations per epoch; None where training is counted in iterations.

        Raises:
            InputError: A schedule follows a validation metric, so it cannot be replayed.
        """
        schedules = runner.param_schedulers
        for schedule in schedules:
            if getattr(schedule, 'need_val_args', False):
                raise InputError(
                    f'{type(schedule).__name__} follows a validation metric and cannot continue with epochs of another '
                    'length; resume with the global batch that the run started with'
                )
        for group, values in zip(runner.optim_wrapper.param_groups, self._values, strict=True):
            group.update(values)
        with warnings.catch_warnings():
            warnings.simplefilter('ignore', UserWarning)  # schedules step without the optimizer here
            for schedule, state in zip(schedules, self._schedules, strict=True):
                schedule.load_state_dict(copy.deepcopy(state))
            for done in range(1, iteration + 1):
                whole = epoch_length and done % epoch_length == 0 and done // epoch_length <= epoch
                for by_epoch in (False, True) if whole else (False,):
                    for schedule in schedules:
                        if schedule.by_epoch == by_epoch:
                            schedule.step()

    def _pick(self, group: dict[str, Any]) -> dict[str, Any]:
        return {name: copy.deepcopy(group[name]) for name in self._names if name in group}


def begin_within_epoch(loop: EpochBasedTrainLoop, done: int, batch_size: int) -> None:
    """Start the next epoch of a loop after its first batches; the remaining batches keep their numbers.

    Args:
        loop: Training loop whose sampler has ``skip(samples)``, as
            :class:`~projects.false.datasets.seeding.SeededSampler` has.
        done: Number of batches to skip; all of them leaves only the end of the epoch.
        batch_size: Images per batch and process.

    Raises:
        InputError: The epoch has fewer batches, or the sampler cannot start within an epoch.
    """
    loader = loop.dataloader
    sampler = getattr(loader.batch_sampler, 'sampler', loader.sampler)
    where = f'the checkpoint is from within an epoch ({done} of its {len(loader)} iterations)'
    if not 0 <= done <= len(loader):
        raise InputError(
            f'the checkpoint has {loop.iter} iterations after {loop.epoch} epochs of {len(loader)}, which do not fit; '
            'resume from a checkpoint of a whole epoch'
        )
    if not hasattr(sampler, 'skip'):
        raise InputError(
            f'{where} and {type(sampler).__name__} cannot start there; resume from a checkpoint of a whole epoch, '
            "or set train_dataloader.sampler.type='SeededSampler'"
        )
    sampler.skip(done * batch_size)
    run_iter = loop.run_iter
    loop.run_iter = lambda batch_idx, data_batch: run_iter(batch_idx + done, data_batch)


def end_epoch(loop: EpochBasedTrainLoop) -> None:
    """Undo :func:`begin_within_epoch` after the epoch; the sampler resets itself."""
    vars(loop).pop('run_iter', None)


@HOOKS.register_module()
class ResumeCheckHook(Hook):
    """Store processes and global batch in every checkpoint and compare them on resuming, but not on loading weights.

    A run resumed from within an epoch continues with the remaining batches of the epoch, or is refused. If the global
    batch or the length of an epoch changed, training counted in epochs continues after the same number of epochs, and
    training counted in iterations after the same number of iterations. The schedules are then those of the current
    config at that position.

    Args:
        allow_other_batch: Accept a different global batch (``--allow-other-batch``). Default: False.

    Raises:
        InputError: The global batch of a resumed run changed, and that is not allowed.

    Example:
        >>> custom_hooks = [dict(type='ResumeCheckHook')]
    """

    priority = 5  # before hooks that read the runner's iteration, and before StartChecksHook logs the learning rate

    def __init__(self, allow_other_batch: bool = False) -> None:
        self.allow_other_batch = allow_other_batch
        self._loaded: dict[str, Any] | None = None
        self._fresh: FreshSchedules | None = None

    def before_run(self, runner) -> None:
        """Keep the schedules as built from the config."""
        if is_list_of(runner.param_schedulers, _ParamScheduler):  # not built where a run only tests
            self._fresh = FreshSchedules(runner)

    def before_save_checkpoint(self, runner, checkpoint: dict) -> None:
        """Store processes and batch."""
        now = _global_batch(runner)
        if now is not None:
            checkpoint['meta'][_NOTE] = dict(now._asdict())

    def after_load_checkpoint(self, runner, checkpoint: dict) -> None:
        """Keep the stored values until it is clear whether this run resumes the checkpoint or only loads weights."""
        self._loaded = checkpoint.get('meta') if isinstance(checkpoint, dict) else None

    def before_train(self, runner) -> None:
        """Compare with the checkpoint and move to the right position."""
        meta, self._loaded = self._loaded, None
        now = _global_batch(runner)
        # Only Runner.resume sets the iteration counter; Runner.load_checkpoint leaves it at 0.
        if not meta or now is None or runner.iter == 0 or runner.iter != meta.get('iter'):
            return
        before = GlobalBatch(**meta[_NOTE]) if _NOTE in meta else None
        change = compare_batches(before, now, self.allow_other_batch)
        if change:
            runner.logger.info(change)
        if before is None:
            return
        if (before.images, before.epoch_length) != (now.images, now.epoch_length):
            self._move(runner, before, now)
        done = runner.iter - runner.epoch * now.epoch_length if before.epoch_length and now.epoch_length else 0
        if done:
            begin_within_epoch(runner.train_loop, done, now.per_process)

    def after_train_epoch(self, runner) -> None:
        """Run all later epochs from their first batch."""
        end_epoch(runner.train_loop)

    def _move(self, runner, before: GlobalBatch, now: GlobalBatch) -> None:
        runner.train_loop._iter = equivalent_iteration(before, now, runner.iter)
        for hook in runner.hooks:
            if isinstance(hook, ExactResumeHook):
                hook.go_on_at(runner.iter)
        if self._fresh is not None:
            self._fresh.restore_at(runner, runner.epoch, runner.iter, now.epoch_length)
        elif runner.param_schedulers:
            raise InputError('several optimizers cannot change the global batch; resume with the previous one')
        runner.optim_wrapper.initialize_count_status(runner.model, runner.iter, runner.max_iters)
        epochs = f'epoch {runner.epoch} (of {now.epoch_length} iterations, previously {before.epoch_length}), '
        position = f'{epochs if now.epoch_length else ""}iteration {runner.iter} of {runner.max_iters}'
        runner.logger.info(f'continues after {position}; learning rate and schedule are those of the current config')


def _global_batch(runner) -> GlobalBatch | None:
    loader = runner.train_dataloader
    size = getattr(loader, 'batch_size', None) or getattr(getattr(loader, 'batch_sampler', None), 'batch_size', None)
    if size is None:
        return None
    epochs = isinstance(runner.train_loop, EpochBasedTrainLoop)
    return GlobalBatch(get_world_size(), size, len(loader) if epochs else None, accumulation_of(runner.optim_wrapper))
