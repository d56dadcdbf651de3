"""MMEngine's CheckpointHook, made to survive a kill: after the first save there is always a complete checkpoint."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.dist import is_main_process
from mmengine.fileio import LocalBackend, register_backend
from mmengine.hooks import CheckpointHook
from mmengine.registry import HOOKS
from mmengine.runner import BaseLoop

from projects.false.common.errors import InputError
from projects.false.common.files import remove_stale, write_text
from projects.false.common.work_lock import lock_work_dir, unlock_work_dir

from .files import write_checkpoint_bytes
from .latest import pointed_to


@register_backend('VerifiedBackend')
class VerifiedBackend(LocalBackend):
    """Store local files: a checkpoint is written and verified completely or not at all, and removals are deferred.

    Attributes:
        outdated: Files to remove. SafeCheckpointHook removes them once their successor is safe.
    """

    def __init__(self) -> None:
        self.outdated: list[str] = []

    def put(self, obj: bytes, filepath: str | Path) -> None:
        """Write a checkpoint under a temporary name, verify it, and only then rename it."""
        write_checkpoint_bytes(obj, filepath)

    def remove(self, filepath: str | Path) -> None:
        """List a file for later removal."""
        self.outdated.append(str(filepath))


def split_kept(steps: Sequence[int], new: int, limit: int) -> tuple[list[int], list[int]]:
    """Decide which checkpoints to keep beside a new one.

    Args:
        steps: Steps (epochs or iterations) of the existing checkpoints, oldest first.
        new: Step of the new checkpoint, which may exist already.
        limit: Number of checkpoints to keep, the new one included.

    Returns:
        Steps to keep, oldest first, and steps to remove.
    """
    all_steps = [step for step in steps if step != new] + [new]
    return all_steps[-limit:], all_steps[:-limit]


def not_finite(state: Any, name: str = '') -> list[str]:
    """Name the tensors in nested dictionaries (weights, buffers, momenta) that hold a NaN or an infinity."""
    if isinstance(state, Mapping):
        named = ((f'{name}.{key}' if name else str(key), value) for key, value in state.items())
        return [broken for path, value in named for broken in not_finite(value, path)]
    broken = isinstance(state, torch.Tensor) and state.is_floating_point() and not torch.isfinite(state).all()
    return [name] if broken else []


@HOOKS.register_module()
class SafeCheckpointHook(CheckpointHook):
    """Save checkpoints so that a run can be killed, and a disk can fill up, at any moment.

    MMEngine's hook removes the oldest checkpoint, then overwrites files in place. This one writes a temporary file,
    flushes it to the disk, reads it back, renames it, and updates ``last_checkpoint`` in the same way. Only then does
    it remove what ``max_keep_ckpts`` and ``save_best`` no longer keep. Weights that are not finite are never saved.

    Args:
        **kwargs: Arguments of :class:`mmengine.hooks.CheckpointHook`; ``out_dir`` must be a local folder.

    Raises:
        InputError: A checkpoint cannot be written, or has weights that are not finite. The previous one is kept.

    Example:
        >>> default_hooks = dict(checkpoint=dict(type='SafeCheckpointHook', interval=10, max_keep_ckpts=2))
    """

    keep_ckpt_ids: list[int]
    best_ckpt_path: str | None
    file_backend: VerifiedBackend

    def __init__(self, **kwargs) -> None:
        for name in ('backend_args', 'file_client_args', 'out_dir'):
            value = kwargs.get(name)
            if value is not None and (name != 'out_dir' or '://' in str(value)):
                raise InputError(
                    f'SafeCheckpointHook writes to local folders only, got {name}={value!r}; leave that out, or set '
                    "default_hooks.checkpoint.type='CheckpointHook'"
                )
        super().__init__(**{**kwargs, 'backend_args': dict(backend=VerifiedBackend.__name__)})

    def before_run(self, runner) -> None:
        """Keep other runs out of the work folder before its checkpoint is chosen.

        A run of ``tools/train.py`` already holds the lock (:func:`~projects.false.engine.launch.alone_in_work_dir`);
        taking it again does nothing. A run of OpenMMLab's own ``train.py`` takes it here, at the first opportunity.
        """
        super().before_run(runner)
        if is_main_process() and isinstance(runner._train_loop, BaseLoop):  # not built if a run only tests
            lock_work_dir(runner.work_dir)

    def after_run(self, runner) -> None:
        """Release the work folder."""
        super().after_run(runner)
        unlock_work_dir(runner.work_dir)

    def before_train(self, runner) -> None:
        """Remove what a killed run left behind: temporary files, and checkpoints that it was about to remove."""
        super().before_train(runner)
        self._find_best_here(runner)
        if self.max_keep_ckpts > 0:
            self.keep_ckpt_ids = [step for step in self.keep_ckpt_ids if Path(self._path(step)).is_file()]
        if not is_main_process():
            self.file_backend.outdated.clear()
            return
        for path in [stale for folder in {self.out_dir, runner.work_dir} for stale in remove_stale(folder)]:
            runner.logger.info(f'removed {path}: an earlier run was killed while writing it')
        noted = runner.message_hub.runtime_info.get('outdated_ckpts', [])
        # Only from this folder: the run may have been resumed from a checkpoint in another folder.
        self.file_backend.outdated.extend(path for path in noted if Path(path).parent == Path(self.out_dir).absolute())
        self._remove_outdated(runner)

    def _find_best_here(self, runner) -> None:
        """Let the best checkpoint be one of this folder; a run that was resumed elsewhere leaves the other's alone."""

        def here(path: str | None, key: str) -> str | None:
            found = str(Path(self.out_dir, Path(path).name)) if path else None
            found = found if found and Path(found).is_file() else None
            if path:
                runner.message_hub.update_info(key, found)
            return found

        if getattr(self, 'best_ckpt_path', None):
            self.best_ckpt_path = here(self.best_ckpt_path, 'best_ckpt')
        for name, path in getattr(self, 'best_ckpt_path_dict', {}).items():
            self.best_ckpt_path_dict[name] = here(path, f'best_ckpt_{name}')

    def before_save_checkpoint(self, runner, checkpoint: dict) -> None:
        """Refuse to save weights that are not finite."""
        weights, optimizer = not_finite(checkpoint['state_dict']), not_finite(checkpoint.get('optimizer'), 'optimizer')
        broken = [*weights, *optimizer]
        if broken:
            raise InputError(
                f'{len(weights)} weights and {len(optimizer)} optimizer values are not finite after iteration '
                f'{checkpoint["meta"]["iter"]} (first: {broken[0]}), so nothing was saved and the previous checkpoint '
                f'stays in {self.out_dir}; lower the learning rate and continue from it with --resume'
            )

    def _path(self, step: int) -> str:
        return self.file_backend.join_path(self.out_dir, self.filename_tmpl.format(step))

    def _save_checkpoint_with_step(self, runner, step: int, meta: dict) -> None:
        if self.max_keep_ckpts > 0:
            self.keep_ckpt_ids, outdated = split_kept(self.keep_ckpt_ids, step, self.max_keep_ckpts)
            self.file_backend.outdated.extend(self._path(old) for old in outdated)
            runner.message_hub.update_info('keep_ckpt_ids', list(self.keep_ckpt_ids))
        # Stored in the new checkpoint, so that a run resumed from it removes them if this one is killed first.
        runner.message_hub.update_info('outdated_ckpts', [os.path.abspath(path) for path in self.file_backend.outdated])
        self.last_ckpt = self._path(step)
        runner.message_hub.update_info('last_ckpt', self.last_ckpt)
        runner.save_checkpoint(
            self.out_dir,
            self.filename_tmpl.format(step),
            save_optimizer=self.save_optimizer,
            save_param_scheduler=self.save_param_scheduler,
            meta=meta,
            by_epoch=self.by_epoch,
            backend_args=self.backend_args,
            **self.args,
        )
        if is_main_process():
            self._point_to(runner.work_dir, self.last_ckpt)
        self._remove_outdated(runner)

    def _save_best_checkpoint(self, runner, metrics: dict) -> None:
        super()._save_best_checkpoint(runner, metrics)  # saves the last checkpoint again, if there is one
        self._remove_outdated(runner)

    def _point_to(self, work_dir: str, checkpoint: str) -> None:
        pointer = Path(work_dir, 'last_checkpoint')
        try:
            write_text(pointer, checkpoint)
        except OSError as error:
            raise InputError(
                f'cannot write {pointer}: {error.strerror}; free space, then continue with --resume {checkpoint}'
            ) from error

    def _remove_outdated(self, runner) -> None:
        outdated, self.file_backend.outdated = self.file_backend.outdated, []
        if not is_main_process():
            return
        bests = [getattr(self, 'best_ckpt_path', None), *getattr(self, 'best_ckpt_path_dict', {}).values()]
        kept = [self._path(step) for step in getattr(self, 'keep_ckpt_ids', [])]
        needed = {os.path.abspath(path) for path in (*bests, *kept, pointed_to(runner.work_dir)) if path}
        for path in outdated:
            if os.path.abspath(path) not in needed:  # it may have been written again under the same name
                Path(path).unlink(missing_ok=True)
