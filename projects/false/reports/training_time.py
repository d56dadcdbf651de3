"""How long an iteration took, from the log of a run."""

from typing import NamedTuple

import numpy as np

from projects.false.errors import InputError

from .training_logs import TrainingLog


class TrainingTime(NamedTuple):
    """Seconds an iteration; the logged times are means over the iterations before the entry.

    Args:
        mean: Over all entries that count.
        spread: Standard deviation of the entries.
        waiting: Mean part of it that was spent on waiting for data.
        entries: How many entries count.
        epochs: Mean of every epoch, by its number; empty for training that counts iterations.
    """

    mean: float
    spread: float
    waiting: float
    entries: int
    epochs: dict[int, float]


def training_time(log: TrainingLog, name: str, include_outliers: bool = False) -> TrainingTime:
    """Average the logged times.

    Args:
        log: What the run logged.
        name: The run in messages.
        include_outliers: Count the first entry of every start, too. It holds what only happens once, such as the start
            of workers and the choice of kernels, and is left out if anything else is there.

    Raises:
        InputError: The log has no times.
    """
    timed = {step: entry for step, entry in log.training.items() if 'time' in entry}
    if not timed:
        raise InputError(f'{name}: the log has no times; train for longer than one logging interval')
    settled = {step: entry for step, entry in timed.items() if step not in log.starts}
    counted = timed if include_outliers or not settled else settled
    times = np.array([entry['time'] for entry in counted.values()])
    waits = [entry.get('data_time', 0.0) for entry in counted.values()]
    of_epoch: dict[int, list[float]] = {}
    for entry in counted.values():
        if 'epoch' in entry:
            of_epoch.setdefault(int(entry['epoch']), []).append(entry['time'])
    epochs = {epoch: float(np.mean(found)) for epoch, found in of_epoch.items()}
    return TrainingTime(float(times.mean()), float(times.std()), float(np.mean(waits)), len(times), epochs)
