"""MMEngine's runner, which also resumes from the last complete checkpoint and trains in several processes on CPUs."""

import copy
import functools
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.dist import barrier, is_distributed, is_main_process
from mmengine.logging import print_log
from mmengine.model import MMDistributedDataParallel, is_model_wrapper, revert_sync_batchnorm
from mmengine.optim import OptimWrapper, OptimWrapperDict
from mmengine.registry import RUNNERS
from mmengine.runner import EpochBasedTrainLoop, Runner
from mmengine.runner.runner import ParamSchedulerType
from torch import nn
from torch.utils.data import DataLoader

from projects.false.common.command_line import user_message
from projects.false.common.errors import InputError, type_name
from projects.false.datasets.view_evidence import finds_appearance, fit_missing_appearance

from .checkpoints.files import read_checkpoint
from .checkpoints.latest import agree_on_checkpoint, resolve_resume
from .config_checks import build_error, check_backends, check_values
from .launchers import init_gloo
from .precision import to_channels_last
from .resume.global_batch import GlobalBatch, accumulation_of
from .weights.matching import check_some_fit

WARMUPS_PER_TRAINING = 5  # a warm-up takes at most a fifth
_WARMUPS = ('LinearLR', 'ConstantLR', 'LinearParamScheduler', 'ConstantParamScheduler')


def fit_schedules(schedules: Sequence[Any], by_epoch: bool, length: int, epoch_length: int) -> list[Any]:
    """Fit the configs of schedules to the length of a run.

    A warm-up, which begins with the training and ends where another schedule begins, takes at most a fifth of the
    training: it is shortened, and the next schedule begins earlier. One of a single step is left out, as it would never
    rise from its first rate. A schedule that would begin after the end is left out, too; MMEngine would fail with an
    assertion. Schedules in another unit than the run stay as they are.

    Args:
        schedules: Configs, or schedules that are built already and stay as they are.
        by_epoch: True for a run counted in epochs, False for one counted in iterations.
        length: Epochs or iterations of the run.
        epoch_length: Iterations per epoch.

    Returns:
        New configs.

    Raises:
        InputError: A run counted in iterations has a schedule counted in epochs, or a warm-up begins at 0.
    """
    # Schedules that are already built hold their optimizer, which must not be copied.
    entries = [copy.deepcopy(entry) if isinstance(entry, dict) else entry for entry in schedules]
    configs = [entry for entry in entries if isinstance(entry, dict)]
    counted = [
        entry
        for entry in configs
        if entry.get('by_epoch', True) and not type_name(entry.get('type')).startswith('ReduceOnPlateau')
    ]
    if counted and not by_epoch:
        place = next(place for place, entry in enumerate(entries) if entry is counted[0])
        raise InputError(
            f'param_scheduler.{place} ({type_name(counted[0].get("type"))}) counts epochs and train_cfg counts '
            f'iterations; set by_epoch=False, convert_to_iter_based=False and begin and end in iterations '
            f'(an epoch has {epoch_length})'
        )
    for place, entry in enumerate(entries):
        if isinstance(entry, dict) and type_name(entry.get('type')) == 'LinearLR' and entry.get('start_factor') == 0:
            raise InputError(
                f'param_scheduler.{place}.start_factor is 0, by which LinearLR divides; give 1e-4, for example'
            )
    own = [entry for entry in configs if bool(entry.get('by_epoch', True)) == by_epoch]
    for entry in own:
        end = entry.get('end')
        followers = [other for other in own if other is not entry and other.get('begin', 0) == end]
        if end is None or not followers or entry.get('begin', 0) != 0 or type_name(entry.get('type')) not in _WARMUPS:
            continue
        converted = by_epoch and entry.get('convert_to_iter_based', False)
        steps = epoch_length if converted else 1  # steps per unit at which this schedule can end
        done = length * steps // WARMUPS_PER_TRAINING
        if done >= end * steps:
            continue
        done = 0 if done == 1 else done
        print_log(f'warm-up ends at {done / steps:g} instead of {end}, a fifth of the training', 'current')
        # MMEngine rounds down when it converts to iterations; an extra half keeps the number.
        entry['end'] = (done + 0.5) / steps if converted and done else done / steps if converted else done
        for other in followers:
            other['begin'] = entry['end']
    late = [entry for entry in own if entry.get('begin', 0) >= length]
    for entry in late:
        begin = f'{"epoch" if by_epoch else "iteration"} {entry["begin"]}'
        print_log(f'{type_name(entry.get("type"))} begins at {begin}, after the end at {length}; left out', 'current')
    empty = [entry for entry in own if entry.get('end') is not None and entry['end'] <= entry.get('begin', 0)]
    return [entry for entry in entries if not any(entry is other for other in (*late, *empty))]


def on_the_host(numbers: dict[str, Any]) -> dict[str, Any]:
    """Replace one-element tensors by numbers, with a single copy from every device."""
    found, by_device = dict(numbers), defaultdict(list)
    for name, value in numbers.items():
        if isinstance(value, torch.Tensor) and value.numel() == 1:
            by_device[value.device].append(name)
    for names in by_device.values():
        values = torch.stack([numbers[name].detach().double().reshape(()) for name in names])
        found.update(zip(names, values.tolist(), strict=True))
    return found


@RUNNERS.register_module()
class FALSERunner(Runner):
    """Runner of the recipes: ``runner_type = 'FALSERunner'``, which OpenMMLab's own ``train.py`` respects.

    It resumes from the last complete checkpoint, fits the schedules to the length of the run
    (:func:`fit_schedules`) and counts accumulated gradients where the learning rate is scaled with the batch. Without a
    GPU, several processes communicate by gloo, and SyncBN, which has no CPU form, becomes BN.
    """

    _resume: bool
    _load_from: str | None

    @classmethod
    def from_cfg(cls, cfg: Config) -> 'FALSERunner':
        """Build from a config, after checking its values.

        Raises:
            InputError: A value is of another type or out of range, or a part cannot be built from the config.
        """
        check_values(cfg)
        check_backends(cfg)
        return super().from_cfg(cfg)

    @staticmethod
    def build_dataloader(dataloader: DataLoader | dict, *args: Any, **kwargs: Any) -> DataLoader:
        """Build a data loader; without workers, drop the options for persistent workers and prefetching.

        Where the pipeline needs ``appearance.json`` and the data lacks it, the main process fits it here: a loop by
        iterations starts its workers before any hook could.
        """
        if isinstance(dataloader, dict) and dataloader.get('num_workers', 0) == 0:
            dataloader = {**dataloader, 'persistent_workers': False, 'prefetch_factor': None}
        loader = Runner.build_dataloader(dataloader, *args, **kwargs)
        if finds_appearance(loader.dataset):
            made = fit_missing_appearance(loader.dataset) if is_main_process() else None
            if made:
                print_log(f'fitted the appearance of the data: {made}', logger='current')
            barrier()
        return loader

    def train(self) -> nn.Module:
        """Train; a batch too small for batch normalisation is reported in one line."""
        try:
            return super().train()
        except ValueError as error:
            if not str(error).startswith('Expected more than 1 value per channel'):
                raise
            raise InputError(
                'batch normalisation cannot train on one image alone; raise train_dataloader.batch_size to 2 or more '
                '(of every process), with train_dataloader.drop_last=True where the last batch is smaller'
            ) from error

    def call_hook(self, fn_name: str, **kwargs: Any) -> None:
        """Call all hooks; after a step, hand them its numbers in one copy from the device instead of one wait each."""
        if fn_name == 'after_train_iter' and isinstance(kwargs.get('outputs'), dict):
            kwargs['outputs'] = on_the_host(kwargs['outputs'])
        super().call_hook(fn_name, **kwargs)

    def build_param_scheduler(self, scheduler: Any) -> ParamSchedulerType:
        """Build the schedules, fitted to the length of the run."""
        loop = self.train_loop
        by_epoch = isinstance(loop, EpochBasedTrainLoop)
        length, batches = self.max_epochs if by_epoch else self.max_iters, len(self.train_dataloader)
        if isinstance(scheduler, dict) and 'type' not in scheduler:  # for several optimizers
            fitted: Any = {
                name: fit_schedules(part if isinstance(part, Sequence) else [part], by_epoch, length, batches)
                for name, part in scheduler.items()
            }
        else:
            entries = scheduler if isinstance(scheduler, Sequence) else [scheduler]
            fitted = fit_schedules(entries, by_epoch, length, batches)
        return super().build_param_scheduler(fitted)

    def scale_lr(self, optim_wrapper: OptimWrapper, auto_scale_lr: dict | None = None) -> None:
        """Scale the learning rate with the images per step of the optimizer, accumulated gradients included."""
        if auto_scale_lr is None or not auto_scale_lr.get('enable', False):
            return
        base = auto_scale_lr.get('base_batch_size')
        if not isinstance(base, int) or base < 1:
            raise InputError(f'auto_scale_lr.base_batch_size must be an integer of at least 1, got {base!r}')
        loader = self.train_dataloader
        wrappers = optim_wrapper.values() if isinstance(optim_wrapper, OptimWrapperDict) else [optim_wrapper]
        for wrapper in wrappers:
            batch = GlobalBatch(self.world_size, loader.batch_size, None, accumulation_of(wrapper))
            self.logger.info(f'learning rate is scaled by {batch.images / base:g}: batch {batch}, meant for {base}')
            for group in wrapper.param_groups:
                group['lr'] *= batch.images / base

    def setup_env(self, env_cfg: dict) -> None:
        """Initialise gloo first if there is no GPU; MMEngine then keeps it."""
        if self.distributed and not is_distributed() and not torch.cuda.is_available():
            init_gloo(self.launcher, env_cfg.get('dist_cfg', {}).get('timeout'))
        super().setup_env(env_cfg)

    def load_or_resume(self) -> None:
        """Resume from the last complete checkpoint, and refuse a ``load_from`` of which nothing fits.

        The last complete checkpoint need not be the one that ``last_checkpoint`` names. ``tools/train.py`` has already
        resolved this in the config. OpenMMLab's own ``train.py`` (``mim train``) only builds the runner, so the same
        function is called here, after SafeCheckpointHook locked the work folder.
        """
        if self._resume and self._load_from is None and not self._has_loaded:
            found = resolve_resume('auto', self.work_dir)
            self._load_from = found.path if found else None
            self._resume = self._load_from is not None
            agree_on_checkpoint(self)
        given = self._load_from
        if given is not None and not self._resume and not self._has_loaded and Path(given).is_file():
            model = self.model.module if is_model_wrapper(self.model) else self.model
            check_some_fit(read_checkpoint(given, mmap=True), model, given)
        super().load_or_resume()

    def wrap_model(self, model_wrapper_cfg: dict | None, model: nn.Module) -> nn.Module:
        """Wrap the model for several processes, without device and SyncBN where there is no GPU.

        If ChannelsLastHook is configured, the model is converted to channels-last memory before it is wrapped.
        """
        hooks = [*(self.cfg.get('default_hooks') or {}).values(), *(self.cfg.get('custom_hooks') or ())]
        if any(isinstance(hook, dict) and type_name(hook.get('type')) == 'ChannelsLastHook' for hook in hooks):
            to_channels_last(model)
        if not self.distributed or torch.cuda.is_available() or model_wrapper_cfg is not None:
            return super().wrap_model(model_wrapper_cfg, model)
        if any(isinstance(module, nn.SyncBatchNorm) for module in model.modules()):
            self.logger.info('no GPU: SyncBN becomes BN; every process normalises with its own images')
            model = revert_sync_batchnorm(model)
        return MMDistributedDataParallel(
            model, broadcast_buffers=False, find_unused_parameters=self.cfg.get('find_unused_parameters', False)
        )


def _in_one_line(section: str, build: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a method that builds a part of the config, so that its errors are reported in one line."""

    @functools.wraps(build)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        try:
            return build(*args, **kwargs)
        except Exception as error:
            if user_message(error) is not None:
                raise
            raise build_error(section, error) from error

    if build.__module__ != __name__:  # MMEngine's text refers to pages of its own
        wrapped.__doc__ = f'Do what MMEngine does for ``{section}``; errors end in one line.'
    return wrapped


_SECTIONS = {  # methods of the runner, and the keys that they read
    'setup_env': 'env_cfg',
    'set_randomness': 'randomness',
    'build_visualizer': 'visualizer',
    'build_log_processor': 'log_processor',
    'build_model': 'model',
    'build_train_loop': 'train_dataloader or train_cfg',
    'build_val_loop': 'val_dataloader, val_evaluator or val_cfg',
    'build_test_loop': 'test_dataloader, test_evaluator or test_cfg',
    'build_optim_wrapper': 'optim_wrapper',
    'build_param_scheduler': 'param_scheduler',
    'register_hooks': 'default_hooks or custom_hooks',
    '_init_model_weights': 'init_cfg in model',
}
_one_line_loader = staticmethod(_in_one_line('data loader', FALSERunner.build_dataloader))
FALSERunner.build_dataloader = _one_line_loader  # type: ignore[method-assign]
for _method, _section in _SECTIONS.items():
    setattr(FALSERunner, _method, _in_one_line(_section, getattr(FALSERunner, _method)))
