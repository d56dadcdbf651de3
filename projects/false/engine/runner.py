"""MMEngine's runner, on GPUs as it is and on CPUs with several processes as well."""

import os
from datetime import timedelta

import torch
from mmengine.config import Config
from mmengine.dist import is_distributed
from mmengine.logging import print_log
from mmengine.model import MMDistributedDataParallel, revert_sync_batchnorm
from mmengine.registry import RUNNERS
from mmengine.runner import Runner
from torch import distributed, nn

from projects.false.common.errors import InputError

from .checkpoints.latest import agree_on_checkpoint, choose_resumed
from .precision import to_channels_last

_LAUNCHER_VARIABLES = {
    'slurm': {'RANK': 'SLURM_PROCID', 'WORLD_SIZE': 'SLURM_NTASKS', 'LOCAL_RANK': 'SLURM_LOCALID'},
    'mpi': {
        'RANK': 'OMPI_COMM_WORLD_RANK',
        'WORLD_SIZE': 'OMPI_COMM_WORLD_SIZE',
        'LOCAL_RANK': 'OMPI_COMM_WORLD_LOCAL_RANK',
    },
}


def fit_schedules(config: Config) -> None:
    """Drop schedules that would begin after the end of a shortened run; MMEngine stops at them with an assertion.

    Only a begin that is counted as the run is, in epochs or in iterations, can be compared with its end.
    """
    loop, schedules = config.get('train_cfg') or {}, config.get('param_scheduler')
    by_epoch = loop.get('max_epochs') is not None
    length = loop.get('max_epochs') if by_epoch else loop.get('max_iters')
    if not isinstance(length, int) or not isinstance(schedules, list):
        return
    late = [entry for entry in schedules if entry.get('by_epoch', True) == by_epoch and entry.get('begin', 0) >= length]
    for entry in late:
        unit = 'epoch' if by_epoch else 'iteration'
        print_log(f'{entry.get("type")} begins at {unit} {entry.begin}, after the end at {length}: left out', 'current')
    if late:
        config.param_scheduler = [entry for entry in schedules if entry not in late]


def init_gloo(launcher: str, timeout: float | None = None) -> None:
    """Join the other processes without a GPU; MMEngine's own way asks for one.

    Args:
        launcher: ``pytorch``, ``slurm`` or ``mpi``.
        timeout: Seconds to wait for the others; None for PyTorch's default.

    Raises:
        InputError: The launcher's variables are not set: the process was not started by it.
    """
    for name, source in _LAUNCHER_VARIABLES.get(launcher, {}).items():
        if source in os.environ:
            os.environ[name] = os.environ[source]
    os.environ.setdefault('MASTER_PORT', '29500')
    missing = [name for name in ('RANK', 'WORLD_SIZE', 'LOCAL_RANK', 'MASTER_ADDR') if name not in os.environ]
    if missing:
        raise InputError(
            f'--launcher {launcher} without {", ".join(missing)} in the environment; '
            'start with tools/dist_train.sh or tools/slurm_train.sh, or leave --launcher out for one process'
        )
    waiting = {} if timeout is None else {'timeout': timedelta(seconds=timeout)}
    distributed.init_process_group('gloo', **waiting)


@RUNNERS.register_module()
class FALSERunner(Runner):
    """Runner of the recipes: ``runner_type = 'FALSERunner'``, which OpenMMLab's own ``train.py`` honours.

    With GPUs it is MMEngine's. Without one, several processes talk by gloo and SyncBN, which has no CPU form, becomes
    BN. Schedules that begin after the end of a shortened run are dropped.
    """

    @classmethod
    def from_cfg(cls, cfg: Config) -> 'FALSERunner':
        """Build from a config."""
        fit_schedules(cfg)
        return super().from_cfg(cfg)

    def setup_env(self, env_cfg: dict) -> None:
        """Initialise gloo first where there is no GPU; MMEngine then finds it done."""
        if self.distributed and not is_distributed() and not torch.cuda.is_available():
            init_gloo(self.launcher, env_cfg.get('dist_cfg', {}).get('timeout'))
        super().setup_env(env_cfg)

    def load_or_resume(self) -> None:
        """Resume from the last complete checkpoint, not only from the one that ``last_checkpoint`` names."""
        if self._resume and self._load_from is None and not self._has_loaded:
            found = choose_resumed('auto', self.work_dir)
            for text in found.skipped:
                self.logger.warning(f'passed over on resuming: {text}')
            self._load_from, self._resume = found.path, found.path is not None
            agree_on_checkpoint(self)
        super().load_or_resume()

    def wrap_model(self, model_wrapper_cfg: dict | None, model: nn.Module) -> nn.Module:
        """Wrap without a device, and without SyncBN, where there is no GPU; in channels-last memory if a hook asks."""
        hooks = [*(self.cfg.get('default_hooks') or {}).values(), *(self.cfg.get('custom_hooks') or ())]
        if any(isinstance(hook, dict) and hook.get('type') == 'ChannelsLastHook' for hook in hooks):
            to_channels_last(model)
        if not self.distributed or torch.cuda.is_available() or model_wrapper_cfg is not None:
            return super().wrap_model(model_wrapper_cfg, model)
        if any(isinstance(module, nn.SyncBatchNorm) for module in model.modules()):
            self.logger.info('no GPU: SyncBN becomes BN, every process normalises with its own images')
            model = revert_sync_batchnorm(model)
        return MMDistributedDataParallel(
            model, broadcast_buffers=False, find_unused_parameters=self.cfg.get('find_unused_parameters', False)
        )
