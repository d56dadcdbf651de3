"""Read the scalars that MMEngine logs, across interruptions of a run: curves of values, and the time per iteration."""

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np

from projects.false.common.errors import InputError

Entries = dict[int, dict[str, float]]  # step -> name -> value


class TrainingLog(NamedTuple):
    """The scalars of a run.

    Args:
        training: Step -> values of training: ``loss``, ``lr``, ``time``, ``data_time`` and so on.
        evaluation: Step -> values of validation: ``mIoU`` and so on.
        starts: First logged training step per start of the run.
    """

    training: Entries
    evaluation: Entries
    starts: tuple[int, ...]


def read_training_log(path: str | Path) -> TrainingLog:
    """Gather the scalars of a run.

    Every start of a run logs into its own folder, named after the time. From the first step of a later start on, the
    entries of earlier starts are dropped, since these steps were computed again from a checkpoint.

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
    training: Entries = {}
    evaluation: Entries = {}
    starts: list[int] = []
    for file in files:
        trained, evaluated = _read(file)
        if trained:
            first = min(trained)
            training = {step: entry for step, entry in training.items() if step < first}
            evaluation = {step: entry for step, entry in evaluation.items() if step < first}
            starts = [*(step for step in starts if step < first), first]
        training |= trained
        evaluation |= evaluated
    return TrainingLog(dict(sorted(training.items())), dict(sorted(evaluation.items())), tuple(starts))


def _read(file: Path) -> tuple[Entries, Entries]:
    """Read the entries of training and of validation of one file."""
    training: Entries = {}
    evaluation: Entries = {}
    try:
        text = file.read_text(encoding='utf-8')
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f'{file}: cannot be read ({error}); train again') from error
    lines = text.split('\n')
    # The part after the last line end is dropped: a run that was killed while it wrote leaves half a line there.
    for number, line in enumerate(lines[:-1], start=1):
        if not line.strip():
            continue
        try:
            entry = json.loads(line)
            step = int(entry['step'] if 'step' in entry else entry['iter'])
            values = {key: float(value) for key, value in entry.items()}
        except (ValueError, TypeError, KeyError) as error:
            raise InputError(
                f'{file}, line {number}: not a log entry ({error!r}); remove the line, or train again'
            ) from error
        # MMEngine only writes `iter` into entries of training.
        (training if 'iter' in entry or 'loss' in entry else evaluation).setdefault(step, {}).update(values)
    return training, evaluation


class LoggedCurve(NamedTuple):
    """One logged value over the steps.

    Args:
        steps: Rising integers.
        values: Not finite where training diverged.

    Shape:
        - steps, values: (n,)
    """

    steps: np.ndarray
    values: np.ndarray


def read_loss_curve(path: str | Path) -> LoggedCurve:
    """Read the training losses of a run, see :func:`read_training_log`.

    Raises:
        InputError: There is no log, a line of it is damaged, or it holds no finite loss.
    """
    training = read_training_log(path).training
    losses = {step: entry['loss'] for step, entry in training.items() if 'loss' in entry}
    if not np.isfinite(list(losses.values())).any():
        raise InputError(f'{path}: the log holds no finite loss; train for longer than one logging interval')
    return _curve(losses)


def logged_curve(log: TrainingLog, key: str, name: str) -> LoggedCurve:
    """Pick one logged value, from training, or from validation where training does not log it.

    Args:
        log: Scalars of the run.
        key: Name of the value, such as ``loss``, ``lr`` or ``mIoU``.
        name: Name of the run in messages.

    Raises:
        InputError: The run logged nothing, or nothing of that name.
    """
    for entries in (log.training, log.evaluation):
        found = {step: entry[key] for step, entry in entries.items() if key in entry}
        if found:
            return _curve(found)
    known = dict.fromkeys(key for part in (log.training, log.evaluation) for entry in part.values() for key in entry)
    listed = ', '.join(key for key in known if key not in ('step', 'iter'))
    if not listed:
        raise InputError(f'{name}: the log is empty; train for longer than one logging interval')
    raise InputError(f'{name}: the log has no {key!r}; it has {listed}')


def _curve(values: dict[int, float]) -> LoggedCurve:
    return LoggedCurve(np.array(list(values)), np.array(list(values.values())))


class TrainingTime(NamedTuple):
    """Seconds per iteration; each log entry holds a mean over the iterations before it.

    Args:
        mean: Mean over the entries that count.
        spread: Standard deviation of these entries.
        waiting: Mean of the part that was spent waiting for data.
        entries: Number of entries that count.
        epochs: Number of an epoch -> its mean; empty for training by iterations.
    """

    mean: float
    spread: float
    waiting: float
    entries: int
    epochs: dict[int, float]


def training_time(log: TrainingLog, name: str, include_outliers: bool = False) -> TrainingTime:
    """Average the logged times.

    Args:
        log: Scalars of the run.
        name: Name of the run in messages.
        include_outliers: Also count the first entry of every start, which includes one-off costs such as starting
            workers and choosing kernels. It always counts where there is no other entry.

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
