"""Commands in groups, each logged to a file, shown live, and skipped once it is done."""

import json
import os
import re
import shlex
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from projects.false.atomic_write import write_text
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


def run_steps(groups: Sequence[Sequence[Step]], folder: Path) -> dict[str, float]:
    """Run every step that is not done yet.

    The steps of a group do not need each other and run at the same time, as many as there are cores. Every step gets
    one computing thread: two small trainings beside each other end sooner than one after the other with two threads
    each, and their results do not depend on the number of cores.

    Args:
        groups: Steps that may run together, group after group.
        folder: Where ``logs/<name>.log`` and ``logs/<name>.done`` go.

    Returns:
        Seconds of every step, of an earlier run for those that were done.

    Raises:
        InputError: A command failed; the message quotes the end of its log. The others of its group are ended.
    """
    logs = folder / 'logs'
    logs.mkdir(parents=True, exist_ok=True)
    console = Console()
    columns = (SpinnerColumn(), TextColumn('{task.description}', markup=False), BarColumn(), TimeElapsedColumn())
    names = [step.name for group in groups for step in group]
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        for group in groups:
            runs = []
            for step in group:
                title = f'[{names.index(step.name) + 1}/{len(names)}] {step.name}'
                if _mark(logs, step).is_file():
                    console.print(f'{title}: done before', markup=False)
                else:
                    runs.append(_Run(step, title, logs, progress))
            _run_together(runs)
    return {name: json.loads((logs / f'{name}.done').read_text())['seconds'] for name in names}


def cores() -> int:
    """How many CPU cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count() or 1


def _mark(logs: Path, step: Step) -> Path:
    return logs / f'{step.name}.done'


def _run_together(runs: Sequence['_Run']) -> None:
    if not runs:
        return
    pool = ThreadPoolExecutor(min(len(runs), cores()))
    try:
        for future in as_completed([pool.submit(run) for run in runs]):
            future.result()
    finally:
        for run in runs:
            run.stop()
        pool.shutdown(cancel_futures=True)


class _Run:
    """One step on its way: a process, its log, its line of progress."""

    def __init__(self, step: Step, title: str, logs: Path, progress: Progress) -> None:
        self.step, self.title, self.logs, self.progress = step, title, logs, progress
        self.process: subprocess.Popen | None = None
        self.stopped = False
        self.lock = threading.Lock()

    def stop(self) -> None:
        """End the process if it runs, and keep it from starting if it does not."""
        with self.lock:
            self.stopped = True
            if self.process is not None and self.process.poll() is None:
                self.process.terminate()

    def __call__(self) -> None:
        console = self.progress.console
        if not console.is_terminal:
            console.print(f'{self.title} ...', markup=False)
        task = self.progress.add_task(self.title, total=1.0)
        start = time.monotonic()
        if not self._execute(lambda share: self.progress.update(task, completed=share)):
            return
        seconds = time.monotonic() - start
        self.progress.remove_task(task)
        write_text(_mark(self.logs, self.step), json.dumps({'seconds': seconds, 'command': self.step.command}))
        console.print(f'{self.title}: {seconds:.0f} s', markup=False)

    def _execute(self, show: Callable[[float], None]) -> bool:
        command = [*self.step.command, *self.step.resume()]
        path = self.logs / f'{self.step.name}.log'
        environment = {**os.environ, 'OMP_NUM_THREADS': '1', 'PYTHONUNBUFFERED': '1'}
        with path.open('a') as log:
            print(f'$ OMP_NUM_THREADS=1 {shlex.join(command)}', file=log, flush=True)
            with self.lock:
                if self.stopped:
                    return False
                self.process = subprocess.Popen(
                    command,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    text=True,
                    env=environment,
                    errors='replace',
                )
            for line in self.process.stdout:
                log.write(line)
                log.flush()
                share = share_done(line, self.step.epochs)
                if share is not None:
                    show(share)
            status = self.process.wait()
        if status:
            lines = [line for line in path.read_text(errors='replace').splitlines() if line.strip()]
            raise InputError(f'step {self.step.name!r} ended with status {status}: {lines[-1]} (whole log: {path})')
        return True


def python(script: str, *arguments: object) -> tuple[str, ...]:
    """The command line of one of this repository's tools."""
    root = Path(__file__).resolve().parents[3]
    return (sys.executable, str(root / 'tools' / script), *map(str, arguments))
