"""Read MMEngine's scalars of a run across interruptions: losses, and the time per iteration."""

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np

from projects.false.common.errors import InputError


class LossCurve(NamedTuple):
    """Loss by step.

    Args:
        steps: Shape (n,), int, rising.
        losses: Shape (n,), float; not finite where training diverged.
    """

    steps: np.ndarray
    losses: np.ndarray


class TrainingLog(NamedTuple):
    """What a run logged, by step.

    Args:
        training: Entries of training: ``loss``, ``lr``, ``time``, ``data_time`` and so on.
        evaluation: Entries of validation: ``mIoU`` and so on.
        starts: The first training step of every start of the run that logged one.
    """

    training: dict[int, dict[str, float]]
    evaluation: dict[int, dict[str, float]]
    starts: tuple[int, ...]


def read_training_log(path: str | Path) -> TrainingLog:
    """Gather the scalars of a run.

    Every start of a run logs into a folder of its own, named after the time. A later start takes over from its first
    step on: what an earlier one logged from there was computed again from the checkpoint.

    Args:
        path: Work folder with ``<time>/vis_data/scalars.json``, or one such file.

    Raises:
        InputError: There is no log, or a line of it is damaged.
    """
    path = Path(path)
    files = sorted(path.glob('*/vis_data/scalars.json')) if path.is_dir() else [path]
    if not files or not all(file.is_file() for file in files):
        raise InputError(
            f'{path}: holds no training log (<time>/vis_data/scalars.json); train again, or give its work folder'
        )
    training, evaluation, starts = {}, {}, []
    for file in files:
        trained, evaluated = _read(file)
        first = min(trained, default=np.inf)
        training = {step: entry for step, entry in training.items() if step < first} | trained
        evaluation = {step: entry for step, entry in evaluation.items() if step < first} | evaluated
        starts = [step for step in starts if step < first] + ([first] if trained else [])
    return TrainingLog(dict(sorted(training.items())), dict(sorted(evaluation.items())), tuple(starts))


def read_loss_curve(path: str | Path) -> LossCurve:
    """The training losses of a run, as :func:`read_training_log` gathers them.

    Raises:
        InputError: There is no log, a line of it is damaged, or it holds no finite loss.
    """
    training = read_training_log(path).training
    losses = {step: entry['loss'] for step, entry in training.items() if 'loss' in entry}
    if not np.isfinite(list(losses.values())).any():
        raise InputError(f'{path}: the log holds no finite loss; train for longer than one logging interval')
    return LossCurve(np.array(list(losses)), np.array(list(losses.values())))


def _read(file: Path) -> tuple[dict[int, dict[str, float]], dict[int, dict[str, float]]]:
    training, evaluation = {}, {}
    try:
        text = file.read_text(encoding='utf-8')
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f'{file}: log not readable ({error}); train again') from error
    lines = text.split('\n')  # a run that was killed while it wrote leaves an unfinished last line, which is dropped
    for number, line in enumerate(lines[:-1], start=1):
        if not line.strip():
            continue
        try:
            entry = json.loads(line)
            step = int(entry['step'] if 'step' in entry else entry['iter'])
            values = {key: float(value) for key, value in entry.items()}
        except (ValueError, TypeError, KeyError) as error:
            raise InputError(
                f'{file}, line {number}: no log entry ({error!r}); remove the line or train again'
            ) from error
        # MMEngine counts iterations in what it logs of training alone
        (training if 'iter' in entry or 'loss' in entry else evaluation).setdefault(step, {}).update(values)
    return training, evaluation


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
