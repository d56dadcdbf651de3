"""Loss curves from MMEngine's logs, across interruptions."""

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np

from projects.false.errors import InputError


class LossCurve(NamedTuple):
    """Loss by step.

    Args:
        steps: Shape (n,), int, rising.
        losses: Shape (n,), float; not finite where training diverged.
    """

    steps: np.ndarray
    losses: np.ndarray


def read_loss_curve(path: str | Path) -> LossCurve:
    """Gather the training losses of a run.

    Every start of a run logs into a folder of its own, named after the time. A later start takes over from its first
    step on: what an earlier one logged from there was computed again from the checkpoint.

    Args:
        path: Work folder with ``<time>/vis_data/scalars.json``, or one such file.

    Raises:
        InputError: There is no log, a line of it is damaged, or it holds no finite loss.
    """
    path = Path(path)
    files = sorted(path.glob('*/vis_data/scalars.json')) if path.is_dir() else [path]
    if not files or not all(file.is_file() for file in files):
        raise InputError(
            f'{path}: holds no training log (<time>/vis_data/scalars.json); train again, or give its work folder'
        )
    losses: dict[int, float] = {}
    for file in files:
        found = _read(file)
        first = min(found, default=np.inf)
        losses = {step: loss for step, loss in losses.items() if step < first} | found
    if not np.isfinite(list(losses.values())).any():
        raise InputError(f'{path}: the log holds no finite loss; train for longer than one logging interval')
    steps = np.array(sorted(losses))
    return LossCurve(steps, np.array([losses[step] for step in steps]))


def _read(file: Path) -> dict[int, float]:
    losses = {}
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
            if 'loss' in entry:
                losses[int(entry['step'] if 'step' in entry else entry['iter'])] = float(entry['loss'])
        except (ValueError, TypeError, KeyError) as error:
            raise InputError(
                f'{file}, line {number}: no log entry ({error!r}); remove the line or train again'
            ) from error
    return losses
