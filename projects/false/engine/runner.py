"""MMEngine's runner, which also resumes from the last complete checkpoint and trains in several processes on CPUs."""

import torch
from mmengine.config import Config
from mmengine.dist import is_distributed
from mmengine.logging import print_log
from mmengine.model import MMDistributedDataParallel, revert_sync_batchnorm
from mmengine.registry import RUNNERS
from mmengine.runner import Runner
from torch import nn

from .checkpoints.latest import agree_on_checkpoint, resolve_resume
from .launchers import init_gloo
from .precision import to_channels_last


def fit_schedules(config: Config) -> None:
    """Drop schedules that would begin after the end of a shortened run; MMEngine would fail with an assertion.

    A schedule is compared with the end of the run only if both are counted in epochs, or both in iterations.
    """
    loop, schedules = config.get('train_cfg') or {}, config.get('param_scheduler')
    by_epoch = loop.get('max_epochs') is not None
    length = loop.get('max_epochs') if by_epoch else loop.get('max_iters')
    if not isinstance(length, int) or not isinstance(schedules, list):
        return
    late = [entry for entry in schedules if entry.get('by_epoch', True) == by_epoch and entry.get('begin', 0) >= length]
    for entry in late:
        begin = f'{"epoch" if by_epoch else "iteration"} {entry.begin}'
        print_log(f'{entry.get("type")} begins at {begin}, after the end at {length}; it is left out', 'current')
    if late:
        config.param_scheduler = [entry for entry in schedules if entry not in late]


@RUNNERS.register_module()
class FALSERunner(Runner):
    """Runner of the recipes: ``runner_type = 'FALSERunner'``, which OpenMMLab's own ``train.py`` respects.

    It resumes from the last complete checkpoint and drops schedules that begin after the end of a shortened run.
    Without a GPU, several processes communicate by gloo, and SyncBN, which has no CPU form, becomes BN.
    """

    _resume: bool
    _load_from: str | None

    @classmethod
    def from_cfg(cls, cfg: Config) -> 'FALSERunner':
        """Build from a config."""
        fit_schedules(cfg)
        return super().from_cfg(cfg)

    def setup_env(self, env_cfg: dict) -> None:
        """Initialise gloo first if there is no GPU; MMEngine then keeps it."""
        if self.distributed and not is_distributed() and not torch.cuda.is_available():
            init_gloo(self.launcher, env_cfg.get('dist_cfg', {}).get('timeout'))
        super().setup_env(env_cfg)

    def load_or_resume(self) -> None:
        """Resume from the last complete checkpoint, not only from the one that ``last_checkpoint`` names.

        ``tools/train.py`` has already resolved this in the config. OpenMMLab's own ``train.py`` (``mim train``) only
        builds the runner, so the same function is called here, after SafeCheckpointHook locked the work folder.
        """
        if self._resume and self._load_from is None and not self._has_loaded:
            found = resolve_resume('auto', self.work_dir)
            self._load_from = found.path if found else None
            self._resume = self._load_from is not None
            agree_on_checkpoint(self)
        super().load_or_resume()

    def wrap_model(self, model_wrapper_cfg: dict | None, model: nn.Module) -> nn.Module:
        """Wrap the model for several processes, without device and SyncBN where there is no GPU.

        If ChannelsLastHook is configured, the model is converted to channels-last memory before it is wrapped.
        """
        hooks = [*(self.cfg.get('default_hooks') or {}).values(), *(self.cfg.get('custom_hooks') or ())]
        if any(isinstance(hook, dict) and hook.get('type') == 'ChannelsLastHook' for hook in hooks):
            to_channels_last(model)
        if not self.distributed or torch.cuda.is_available() or model_wrapper_cfg is not None:
            return super().wrap_model(model_wrapper_cfg, model)
        if any(isinstance(module, nn.SyncBatchNorm) for module in model.modules()):
            self.logger.info('no GPU: SyncBN becomes BN; every process normalises with its own images')
            model = revert_sync_batchnorm(model)
        return MMDistributedDataParallel(
            model, broadcast_buffers=False, find_unused_parameters=self.cfg.get('find_unused_parameters', False)
        )
