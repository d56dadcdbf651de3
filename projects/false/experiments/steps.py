"""Commands one after the other, each logged to a file, shown live, and skipped once it is done."""

import json
import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from projects.false.errors import InputError

_EPOCH = re.compile(r'Epoch\(train\)\s+\[(\d+)\]\[\s*(\d+)/(\d+)\]')
_ITERATION = re.compile(r'Iter\((?:train|val|test)\)\s+\[\s*(\d+)/(\d+)\]|Epoch\(test\)\s+\[\s*(\d+)/(\d+)\]')


@dataclass(frozen=True)
class Step:
    """One command.

    Attributes:
        name: Shown to the user; also the name of the log and of the mark that it is done.
        command: Program and arguments.
        resume: Arguments to add if an earlier try left something to continue from.
        epochs: Length of a pretraining, to show its progress.
    """

    name: str
    command: tuple[str, ...]
    resume: Callable[[], Sequence[str]] = tuple
    epochs: int | None = None


def share_done(line: str, epochs: int | None) -> float | None:
    """Read off one line of MMEngine's log how far a command is, in [0, 1]; None if the line does not say."""
    if epochs and (found := _EPOCH.search(line)):
        epoch, batch, batches = map(int, found.groups())
        return (epoch - 1 + batch / batches) / epochs
    if not epochs and (found := _ITERATION.search(line)):
        done, total = (int(value) for value in found.groups() if value is not None)
        return done / total
    return None


def run_steps(steps: Sequence[Step], folder: Path) -> dict[str, float]:
    """Run every step that is not done yet.

    Args:
        steps: Commands in order.
        folder: Where ``logs/<name>.log`` and ``logs/<name>.done`` go.

    Returns:
        Seconds of every step, of an earlier run for those that were done.

    Raises:
        InputError: A command failed; the message quotes the end of its log.
    """
    logs = folder / 'logs'
    logs.mkdir(parents=True, exist_ok=True)
    console = Console()
    columns = (SpinnerColumn(), TextColumn('{task.description}'), BarColumn(), TimeElapsedColumn())
    seconds = {}
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        for number, step in enumerate(steps, 1):
            title = f'[{number}/{len(steps)}] {step.name}'
            mark = logs / f'{step.name}.done'
            if mark.is_file():
                seconds[step.name] = json.loads(mark.read_text())['seconds']
                console.print(f'{title}: done before', markup=False)
                continue
            task = progress.add_task(title.replace('[', r'\['), total=1.0)
            if not console.is_terminal:
                console.print(f'{title} ...', markup=False)
            seconds[step.name] = _run(step, logs, lambda share, task=task: progress.update(task, completed=share))
            progress.remove_task(task)
            partial = mark.with_suffix('.partial')
            partial.write_text(json.dumps({'seconds': seconds[step.name], 'command': step.command}))
            partial.replace(mark)
            console.print(f'{title}: {seconds[step.name]:.0f} s', markup=False)
    return seconds


def _run(step: Step, logs: Path, show: Callable[[float], None]) -> float:
    command = [*step.command, *step.resume()]
    path = logs / f'{step.name}.log'
    start = time.monotonic()
    # Waiting threads that spin steal the other core from the data loader.
    environment = {'OMP_WAIT_POLICY': 'PASSIVE', 'PYTHONUNBUFFERED': '1', **os.environ}
    with path.open('a') as log:
        print(f'$ {shlex.join(command)}', file=log, flush=True)
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment, errors='replace'
        )
        try:
            for line in process.stdout:
                log.write(line)
                log.flush()
                share = share_done(line, step.epochs)
                if share is not None:
                    show(share)
            status = process.wait()
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait()
    if status:
        lines = [line for line in path.read_text(errors='replace').splitlines() if line.strip()]
        raise InputError(f'step {step.name!r} ended with status {status}: {lines[-1]} (whole log: {path})')
    return time.monotonic() - start


def python(script: str, *arguments: object) -> tuple[str, ...]:
    """The command line of one of this repository's tools."""
    root = Path(__file__).resolve().parents[3]
    return (sys.executable, str(root / 'tools' / script), *map(str, arguments))
