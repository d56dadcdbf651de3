"""Train from a config as ``tools/train.py`` does: lock the work folder, choose a checkpoint, build a runner, train."""

from collections.abc import Iterator
from contextlib import contextmanager

from mmengine.config import Config
from mmengine.registry import RUNNERS
from mmengine.runner import Runner

from projects.false.common.work_lock import make_work_dir, work_dir_locked

from .checkpoints.latest import agree_on_checkpoint, note_start, resolve_resume
from .config_checks import check_backends
from .launchers import is_first_process
from .start_checks import check_batches


@contextmanager
def alone_in_work_dir(config: Config) -> Iterator[None]:
    """Keep other runs out of the work folder while a run chooses its checkpoint and trains.

    SafeCheckpointHook takes the same lock for runs that OpenMMLab's own ``train.py`` starts. Here it has to be taken
    before :func:`set_resume` looks into the folder, when no runner and no hook exists yet.

    Raises:
        InputError: Another run writes to the folder, or it cannot be written.
    """
    if not is_first_process(config.launcher):
        yield
        return
    with work_dir_locked(config.work_dir):
        yield


def set_resume(config: Config, resume: str | None) -> None:
    """Set in a config what the run resumes from, as decided by :func:`~.checkpoints.latest.resolve_resume`.

    Only the first process decides; :func:`train` tells the others.

    Args:
        config: Gets ``resume`` and ``load_from``. Without a checkpoint the run starts with its own ``load_from``.
        resume: ``--resume``: ``'auto'`` for the last complete checkpoint of the work folder, or a file; None leaves
            the choice to the config.

    Raises:
        InputError: The file does not exist, or all checkpoints of the work folder are damaged.
    """
    if not is_first_process(config.launcher):
        return
    if resume is None and config.get('resume'):
        resume = config.get('load_from') or 'auto'
    found = resolve_resume(resume, config.work_dir)
    if found is None:
        return
    config.resume = found.path is not None
    if found.path is not None:
        config.load_from = found.path


def build_runner(config: Config) -> Runner:
    """Build the runner of a config, after checking that its work folder can be created."""
    make_work_dir(config.work_dir)
    if config.get('runner_type') is None:
        check_backends(config)  # as FALSERunner does
        return Runner.from_cfg(config)
    return RUNNERS.build(config)


def train(config: Config) -> None:
    """Train as the config says.

    Raises:
        InputError: The config or the data has an error that the user can fix.
    """
    runner = build_runner(config)
    agree_on_checkpoint(runner)
    note_start(runner)
    loader = runner.train_loop.dataloader
    if not getattr(loader.sampler, 'infinite', False):
        check_batches(len(loader.dataset), loader.batch_size, len(loader))
    runner.train()
