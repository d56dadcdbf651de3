"""The global batch, images per optimizer step over all processes, and how a resumed run handles a change of it."""

from typing import NamedTuple

from mmengine.optim import OptimWrapper, OptimWrapperDict

from projects.false.common.errors import InputError


def global_batch(per_process: int, processes: int, accumulation: int = 1) -> int:
    """Count the images per optimizer step, the batch for which a learning rate is chosen.

    Args:
        per_process: Images per iteration and process.
        processes: Number of processes.
        accumulation: Iterations per step of the optimizer.
    """
    return per_process * processes * accumulation


def accumulation_of(optim_wrapper: OptimWrapper | OptimWrapperDict) -> int:
    """Return the iterations per optimizer step (``optim_wrapper.accumulative_counts``), the largest of several."""
    wrappers = optim_wrapper.values() if isinstance(optim_wrapper, OptimWrapperDict) else [optim_wrapper]
    return max((getattr(wrapper, '_accumulative_counts', 1) for wrapper in wrappers), default=1)


class GlobalBatch(NamedTuple):
    """Images per step of the optimizer, and the factors of that number.

    Attributes:
        processes: Number of processes.
        per_process: Images per iteration and process.
        epoch_length: Iterations per epoch; None where training is counted in iterations.
        accumulation: Iterations per step of the optimizer.
    """

    processes: int
    per_process: int
    epoch_length: int | None
    accumulation: int = 1

    @property
    def images(self) -> int:
        """Images per step of the optimizer."""
        return global_batch(self.per_process, self.processes, self.accumulation)

    def __str__(self) -> str:
        """Format the batch for the log, such as ``64 = 2 process(es) x 32``."""
        accumulated = f' x {self.accumulation} accumulated' if self.accumulation > 1 else ''
        return f'{self.images} = {self.processes} process(es) x {self.per_process}{accumulated}'


def compare_batches(before: GlobalBatch | None, now: GlobalBatch, allowed: bool) -> str | None:
    """Compare the global batch with that of the run that saved the checkpoint.

    Args:
        before: Global batch stored in the checkpoint; None if it has none.
        now: Global batch of this run.
        allowed: Accept a change of the global batch.

    Returns:
        A line for the log, or None if nothing changed.

    Raises:
        InputError: The global batch changed, and that is not allowed.
    """
    if before is None:
        return f'the checkpoint does not record its global batch; this run has {now}'
    if before._replace(epoch_length=None) == now._replace(epoch_length=None):
        return None
    if before.images == now.images:
        return f'resumed with other processes or batches: {now}, previously {before}; the global batch is unchanged'
    if not allowed:
        raise InputError(
            f'the checkpoint was trained with a global batch of {before} and this run has {now}: learning rate and '
            f'schedule would not fit; set train_dataloader.batch_size so that it is {before.images} over all '
            'processes, or add --allow-other-batch'
        )
    return f'resumed with another global batch, as requested: {now}, previously {before}'


def equivalent_iteration(before: GlobalBatch, now: GlobalBatch, iteration: int) -> int:
    """Convert an iteration of the run that saved the checkpoint to the same epoch of this run.

    Args:
        before: Global batch of the run that saved the checkpoint.
        now: Global batch of this run.
        iteration: Iterations that the checkpoint has completed.

    Returns:
        The iterations that this run would have needed for as many epochs; ``iteration`` itself if training is not
        counted in epochs.

    Raises:
        InputError: The checkpoint is from within an epoch, and the epochs of this run have a different length.
    """
    if before.epoch_length is None or now.epoch_length is None or before.epoch_length == now.epoch_length:
        return iteration
    if iteration % before.epoch_length:
        raise InputError(
            f'the checkpoint is from within an epoch ({iteration} iterations, epochs of {before.epoch_length}) and '
            f'this run has epochs of {now.epoch_length}; resume from a checkpoint of a whole epoch'
        )
    return iteration // before.epoch_length * now.epoch_length
