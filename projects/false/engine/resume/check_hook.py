"""On resuming, check what changed since the checkpoint, and move data loader and schedules to its position."""

import copy
import warnings
from collections.abc import Collection
from typing import Any

from mmengine.dist import get_world_size
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.optim import OptimWrapper, OptimWrapperDict, _ParamScheduler
from mmengine.registry import HOOKS
from mmengine.runner import EpochBasedTrainLoop

from projects.false.common.errors import InputError

from .exact_hook import ExactResumeHook
from .global_batch import GlobalBatch, accumulation_of, compare_batches, equivalent_iteration

_NOTE = 'global_batch'  # key in the meta of a checkpoint
_OPTIMIZER = 'optimizers'  # key in the meta of a checkpoint: the kinds of its optimizers
_POSITION = ('last_step', '_last_value', '_global_step', 'verbose')  # in a schedule's state; the rest was configured


class FreshSchedules:
    """The schedules and the optimizer's settings as built from the config, which may replace those of a checkpoint.

    A checkpoint restores the length, the learning rate and the settings of its own run. MMEngine's schedules compute
    each value from the previous one, so they are replayed step by step up to the new position.

    Args:
        runner: Runner whose optimizer and schedules are built but not resumed yet.
    """

    def __init__(self, runner) -> None:
        self._schedules = [copy.deepcopy(schedule.state_dict()) for schedule in _schedules(runner)]
        self._settings = [copy.deepcopy(_settings(group)) for group in _groups(runner)]

    def changes(self, runner, stored: list[dict]) -> list[str]:
        """List what the config sets differently from the run that saved the checkpoint.

        A schedule that follows a validation metric keeps its state; only its end is taken from the config.

        Args:
            runner: The resumed runner.
            stored: States of the schedules in the checkpoint.
        """
        schedules = _schedules(runner)
        if len(stored) != len(schedules):
            return [f'{len(schedules)} schedules, previously {len(stored)}']
        scheduled = {name for one in schedules for name in (one.param_name, f'initial_{one.param_name}')}
        found = []
        for fresh, group in zip(self._settings, _groups(runner), strict=True):
            found += _differences('', fresh, _settings(group), ignored=scheduled)
        for schedule, fresh, before in zip(schedules, self._schedules, stored, strict=True):
            if getattr(schedule, 'need_val_args', False):
                schedule.end = fresh['end']
                continue
            name = type(schedule).__name__
            found += _differences(f'{name} ', fresh, before, ignored=_POSITION)
        return list(dict.fromkeys(found))

    def restore_at(self, runner, epoch: int, iteration: int, epoch_length: int | None) -> None:
        """Set the schedules of a resumed runner, and the optimizer by them, to their state after some iterations.

        Args:
            runner: The runner.
            epoch: Completed epochs. An epoch counts only after its last iteration is over.
            iteration: Completed iterations.
            epoch_length: Iterations per epoch; None where training is counted in iterations.

        Raises:
            InputError: A schedule follows a validation metric, so it cannot be replayed.
        """
        schedules = _schedules(runner)
        for schedule in schedules:
            if getattr(schedule, 'need_val_args', False):
                raise InputError(
                    f'{type(schedule).__name__} follows a validation metric and cannot be replayed; resume with the '
                    'global batch and the schedules that the run started with'
                )
        for group, values in zip(_groups(runner), self._settings, strict=True):
            group.update(copy.deepcopy(values))
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


def _schedules(runner) -> list[_ParamScheduler]:
    found = runner.param_schedulers or []
    return [schedule for part in found.values() for schedule in part] if isinstance(found, dict) else list(found)


def _groups(runner) -> list[dict[str, Any]]:
    found = runner.optim_wrapper.param_groups
    return [group for part in found.values() for group in part] if isinstance(found, dict) else list(found)


def _settings(group: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in group.items() if name != 'params'}


def _differences(owner: str, now: dict, before: dict, ignored: Collection[str]) -> list[str]:
    """Name the values that differ; ignore those in only one of the two, which come from another library version."""
    return [
        f'{owner}{name} {now[name]}, previously {before[name]}'
        for name in now
        if name in before and name not in ignored and now[name] != before[name]
    ]


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
    """Compare a resumed run with the one that saved the checkpoint: global batch, length, schedules, optimizer.

    Processes and global batch are stored in every checkpoint. Nothing is compared if only weights are loaded.

    A run resumed from within an epoch continues with the remaining batches of the epoch, or is refused. If the global
    batch or the length of an epoch changed, training counted in epochs continues after the same number of epochs, and
    training counted in iterations after the same number of iterations. If the config sets another length, another
    schedule or other settings of the optimizer, the log names them. In all these cases schedules and settings are those
    of the current config at that position.

    Args:
        allow_other_batch: Accept a different global batch (``--allow-other-batch``). Default: False.

    Raises:
        InputError: The checkpoint is of another model or optimizer or lies beyond the end of the run, or the global
            batch changed and that is not allowed.

    Example:
        >>> custom_hooks = [dict(type='ResumeCheckHook')]
    """

    priority = 5  # before hooks that read the runner's iteration, and before StartChecksHook logs the learning rate

    def __init__(self, allow_other_batch: bool = False) -> None:
        self.allow_other_batch = allow_other_batch
        self._loaded: dict[str, Any] | None = None
        self._stored: Any = []
        self._fresh: FreshSchedules | None = None

    def before_run(self, runner) -> None:
        """Keep the schedules and the optimizer's settings as built from the config."""
        if isinstance(runner.optim_wrapper, OptimWrapper | OptimWrapperDict):  # not built where a run only tests
            self._fresh = FreshSchedules(runner)

    def before_save_checkpoint(self, runner, checkpoint: dict) -> None:
        """Store processes, batch and the kind of the optimizer."""
        now = _global_batch(runner)
        if now is not None:
            checkpoint['meta'][_NOTE] = dict(now._asdict())
        if isinstance(runner.optim_wrapper, OptimWrapper | OptimWrapperDict):
            checkpoint['meta'][_OPTIMIZER] = _optimizers(runner.optim_wrapper)

    def after_load_checkpoint(self, runner, checkpoint: dict) -> None:
        """Keep the stored values until it is clear whether this run resumes the checkpoint or only loads weights."""
        resuming = runner._resume and not runner._has_loaded  # a hook may load other checkpoints later
        if resuming and isinstance(checkpoint, dict):
            _check_same_model(runner, checkpoint, runner._load_from or runner.work_dir)
        self._loaded = checkpoint.get('meta') if isinstance(checkpoint, dict) else None
        stored = checkpoint.get('param_schedulers') or [] if isinstance(checkpoint, dict) else []
        parts = stored.values() if isinstance(stored, dict) else [stored]
        self._stored = [copy.deepcopy(state) for part in parts for state in part]

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
        if before is not None and (before.images, before.epoch_length) != (now.images, now.epoch_length):
            self._move(runner, before, now)
        else:
            self._compare_schedules(runner, now)
        if runner.iter > runner.max_iters:
            raise InputError(
                f'the checkpoint has {runner.iter} iterations and this run ends at {runner.max_iters}; raise '
                f'train_cfg.{"max_iters" if now.epoch_length is None else "max_epochs"}, or start without --resume'
            )
        if runner.iter == runner.max_iters:
            runner.logger.info(f'the checkpoint has all {runner.max_iters} iterations of this run: nothing is trained')
        if before is None:
            return
        done = runner.iter - runner.epoch * now.epoch_length if before.epoch_length and now.epoch_length else 0
        if done:
            begin_within_epoch(runner.train_loop, done, now.per_process)

    def after_train_epoch(self, runner) -> None:
        """Run all later epochs from their first batch."""
        end_epoch(runner.train_loop)

    def _compare_schedules(self, runner, now: GlobalBatch) -> None:
        changes = self._fresh.changes(runner, self._stored) if self._fresh else []
        if self._fresh and changes:
            self._fresh.restore_at(runner, runner.epoch, runner.iter, now.epoch_length)
            shown = '; '.join(changes[:3]) + (f'; and {len(changes) - 3} more' if len(changes) > 3 else '')
            runner.logger.info(
                f'schedules and optimizer are those of the current config from iteration {runner.iter} of '
                f'{runner.max_iters} on ({shown})'
            )

    def _move(self, runner, before: GlobalBatch, now: GlobalBatch) -> None:
        runner.train_loop._iter = equivalent_iteration(before, now, runner.iter)
        for hook in runner.hooks:
            if isinstance(hook, ExactResumeHook):
                hook.go_on_at(runner.iter)
        if self._fresh is not None:
            self._fresh.restore_at(runner, runner.epoch, runner.iter, now.epoch_length)
        runner.optim_wrapper.initialize_count_status(runner.model, runner.iter, runner.max_iters)
        epochs = f'epoch {runner.epoch} (of {now.epoch_length} iterations, previously {before.epoch_length}), '
        position = f'{epochs if now.epoch_length else ""}iteration {runner.iter} of {runner.max_iters}'
        runner.logger.info(f'continues after {position}; learning rate and schedule are those of the current config')


def _optimizers(wrapper: OptimWrapper | OptimWrapperDict) -> list[str]:
    wrappers = wrapper.values() if isinstance(wrapper, OptimWrapperDict) else [wrapper]
    return [type(one.optimizer).__name__ for one in wrappers]


def _check_same_model(runner, checkpoint: dict, path: str) -> None:
    """Compare the weights and the optimizer of a checkpoint with those of a run that resumes from it.

    Raises:
        InputError: Weights are missing or of another shape, or the optimizer is of another kind or of other groups.
    """
    model = runner.model.module if is_model_wrapper(runner.model) else runner.model
    stored = {name.removeprefix('module.'): value for name, value in (checkpoint.get('state_dict') or {}).items()}
    start = (
        'to start another training from its weights, give load_from, or for its backbone alone '
        'model.backbone.init_cfg.type=PretrainedBackbone model.backbone.init_cfg.checkpoint=FILE'
    )
    wrong = [
        f'{name} is missing' if name not in stored else f'{name} has the shape {tuple(stored[name].shape)}'
        for name, weight in model.named_parameters()
        if name not in stored or stored[name].shape != weight.shape
    ]
    if wrong:
        more = f', and {len(wrong) - 1} other weights differ' if len(wrong) > 1 else ''
        raise InputError(f'{path}: is of another model and cannot be resumed ({wrong[0]}{more}); {start}')
    if not isinstance(runner.optim_wrapper, OptimWrapper | OptimWrapperDict):
        return
    before, now = checkpoint.get('meta', {}).get(_OPTIMIZER), _optimizers(runner.optim_wrapper)
    if before is not None and before != now:
        raise InputError(
            f'{path}: was trained with {", ".join(before)} and cannot be resumed with {", ".join(now)}; set '
            f'optim_wrapper.optimizer.type={before[0]}, or {start}'
        )


def _global_batch(runner) -> GlobalBatch | None:
    loader = runner.train_dataloader
    size = getattr(loader, 'batch_size', None) or getattr(getattr(loader, 'batch_sampler', None), 'batch_size', None)
    if size is None:
        return None
    epochs = isinstance(runner.train_loop, EpochBasedTrainLoop)
    return GlobalBatch(get_world_size(), size, len(loader) if epochs else None, accumulation_of(runner.optim_wrapper))
