"""A run that is counted in epochs goes on within one; MMEngine would begin the epoch from its first batch."""

from mmengine.runner import EpochBasedTrainLoop

from projects.false.errors import InputError


def begin_within_epoch(loop: EpochBasedTrainLoop, done: int, batch_size: int) -> None:
    """Let the next epoch of a loop begin after its first batches, with the numbers of the batches as they are.

    Args:
        loop: Its sampler takes ``skip(samples)``, as :class:`~projects.false.datasets.seeding.SeededSampler` does.
        done: Batches behind it; all of them leaves the end of the epoch.
        batch_size: Images a batch and process.

    Raises:
        InputError: The epoch is shorter than that, or the sampler cannot begin within one.
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
            f'{where} and {type(sampler).__name__} cannot begin there; resume from a checkpoint of a whole epoch, '
            "or set train_dataloader.sampler.type='SeededSampler'"
        )
    sampler.skip(done * batch_size)
    run_iter = loop.run_iter
    loop.run_iter = lambda batch_idx, data_batch: run_iter(batch_idx + done, data_batch)


def end_epoch(loop: EpochBasedTrainLoop) -> None:
    """Undo :func:`begin_within_epoch` after the epoch; the sampler does that by itself."""
    vars(loop).pop('run_iter', None)
