"""How many images an iteration has over all processes, and what a change of it means for a run that goes on."""

from typing import NamedTuple

from projects.false.errors import InputError


class GlobalBatch(NamedTuple):
    """How many images an iteration has, and where they come from.

    Attributes:
        processes: Number of processes.
        per_process: Images an iteration and process.
        epoch_length: Iterations an epoch; None where training is counted in iterations.
    """

    processes: int
    per_process: int
    epoch_length: int | None

    @property
    def images(self) -> int:
        """Images an iteration."""
        return self.processes * self.per_process

    def __str__(self) -> str:
        """Say it as the log does."""
        return f'{self.images} = {self.processes} process(es) x {self.per_process}'


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
    if before[:2] == now[:2]:
        return None
    if before.images == now.images:
        return f'resumed on other processes: global batch {now}, before {before}; the global batch stays'
    if not allowed:
        raise InputError(
            f'the checkpoint was trained with a global batch of {before} and this run has {now}: learning rate and '
            f'schedule would not fit; set train_dataloader.batch_size so that it is {before.images} over all '
            'processes, or add --allow-other-batch'
        )
    return f'resumed with another global batch, as asked for: {now}, before {before}'


def place(before: GlobalBatch, now: GlobalBatch, epoch: int, iteration: int) -> int:
    """Count the iterations that a run with the present epochs would have behind it.

    Args:
        before: Of the run that saved the checkpoint.
        now: Of this run.
        epoch: Epochs done.
        iteration: Iterations done.

    Raises:
        InputError: The checkpoint is from within an epoch, whose rest has no counterpart now.
    """
    if before.epoch_length is None or now.epoch_length is None or before.epoch_length == now.epoch_length:
        return iteration
    if iteration != epoch * before.epoch_length:
        raise InputError(
            f'the checkpoint is from within an epoch ({iteration} iterations, epochs of {before.epoch_length}) and '
            f'this run has epochs of {now.epoch_length}; resume from a checkpoint of a whole epoch'
        )
    return epoch * now.epoch_length
