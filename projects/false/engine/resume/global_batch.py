"""How many images an iteration has over all processes, and what a change of it means for a run that goes on."""

from typing import NamedTuple

from mmengine.optim import OptimWrapper, OptimWrapperDict

from projects.false.common.errors import InputError


def global_batch(per_process: int, processes: int, accumulation: int = 1) -> int:
    """Count the images behind one step of the optimizer, which is what a learning rate belongs to.

    Args:
        per_process: Images an iteration and process.
        processes: Number of processes.
        accumulation: Iterations a step of the optimizer.
    """
    return per_process * processes * accumulation


def accumulation_of(optim_wrapper: OptimWrapper | OptimWrapperDict) -> int:
    """Read the iterations a step of the optimizer (``optim_wrapper.accumulative_counts``); of several, the most."""
    wrappers = optim_wrapper.values() if isinstance(optim_wrapper, OptimWrapperDict) else [optim_wrapper]
    return max((getattr(wrapper, '_accumulative_counts', 1) for wrapper in wrappers), default=1)


class GlobalBatch(NamedTuple):
    """How many images a step of the optimizer has, and where they come from.

    Attributes:
        processes: Number of processes.
        per_process: Images an iteration and process.
        epoch_length: Iterations an epoch; None where training is counted in iterations.
        accumulation: Iterations a step of the optimizer.
    """

    processes: int
    per_process: int
    epoch_length: int | None
    accumulation: int = 1

    @property
    def images(self) -> int:
        """Images a step of the optimizer."""
        return global_batch(self.per_process, self.processes, self.accumulation)

    def __str__(self) -> str:
        """Say it as the log does."""
        accumulated = f' x {self.accumulation} accumulated' if self.accumulation > 1 else ''
        return f'{self.images} = {self.processes} process(es) x {self.per_process}{accumulated}'


def compare(before: GlobalBatch | None, now: GlobalBatch, allowed: bool) -> str | None:
    """Say what is different from the run that saved the checkpoint.

    Args:
        before: Noted in the checkpoint; None if it has no such note.
        now: Of this run.
        allowed: The user wants another global batch.

    Returns:
        A line for the log, or None if nothing changed.

    Raises:
        InputError: The global batch is another one and nobody asked for it.
    """
    if before is None:
        return f'the checkpoint does not say its global batch; this run has {now}'
    if before._replace(epoch_length=None) == now._replace(epoch_length=None):
        return None
    if before.images == now.images:
        return f'resumed with other processes or batches: global batch {now}, before {before}; the global batch stays'
    if not allowed:
        raise InputError(
            f'the checkpoint was trained with a global batch of {before} and this run has {now}: learning rate and '
            f'schedule would not fit; set train_dataloader.batch_size so that it is {before.images} over all '
            'processes, or add --allow-other-batch'
        )
    return f'resumed with another global batch, as asked for: {now}, before {before}'


def place(before: GlobalBatch, now: GlobalBatch, iteration: int) -> int:
    """Count the iterations that a run with the present epochs would have behind it.

    Args:
        before: Of the run that saved the checkpoint.
        now: Of this run.
        iteration: Iterations done.

    Raises:
        InputError: The checkpoint is from within an epoch, whose rest has no counterpart now.
    """
    if before.epoch_length is None or now.epoch_length is None or before.epoch_length == now.epoch_length:
        return iteration
    if iteration % before.epoch_length:
        raise InputError(
            f'the checkpoint is from within an epoch ({iteration} iterations, epochs of {before.epoch_length}) and '
            f'this run has epochs of {now.epoch_length}; resume from a checkpoint of a whole epoch'
        )
    return iteration // before.epoch_length * now.epoch_length
