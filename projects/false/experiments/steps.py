"""Run commands that depend on each other, log them to files, show their progress, and skip those already done.

A step that is done leaves a record, ``logs/<name>.done``, beside its log. The next run skips every step that has one.
"""

import json
import os
import platform
import re
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from projects.false.common.errors import InputError
from projects.false.common.files import write_text
from projects.false.common.recipes import ROOT

from .children import Child

_EPOCH = re.compile(r'Epoch\(train\)\s+\[(\d+)\]\[\s*(\d+)/(\d+)\]')
_ITERATION = re.compile(r'Iter\((?:train|val|test)\)\s+\[\s*(\d+)/(\d+)\]|Epoch\(test\)\s+\[\s*(\d+)/(\d+)\]')
_POLL_INTERVAL = 0.1  # seconds between two checks of the running commands
_STOP_TIMEOUT = 10.0  # seconds that commands have to end on request before they are killed
_MOST_NAMED = 10  # up to this many steps done before are listed one by one


@dataclass(frozen=True)
class Step:
    """One command of an experiment.

    Attributes:
        name: Shown to the user, and the name of log and record; ``/`` makes folders.
        command: Program and arguments.
        resume: Returns the arguments to add if an earlier attempt can be resumed.
        epochs: Length of a pretraining, to show its progress; None for other commands.
        needs: Names of the steps that must be done before.
    """

    name: str
    command: tuple[str, ...]
    resume: Callable[[], Sequence[str]] = tuple
    epochs: int | None = None
    needs: tuple[str, ...] = ()


def tool_command(script: str, *arguments: object) -> tuple[str, ...]:
    """Return the command line of one of this project's tools."""
    return (sys.executable, str(ROOT / 'tools' / script), *map(str, arguments))


def resume_if_begun(work: Path) -> Callable[[], Sequence[str]]:
    """Return a function for :attr:`Step.resume`, which gives ``--resume`` once a work folder has a checkpoint."""
    return lambda: ('--resume',) if (work / 'last_checkpoint').is_file() else ()


def run_steps(
    steps: Sequence[Step],
    folder: Path,
    slots: Sequence[Mapping[str, str]] | None = None,
    on_done: Callable[[Step], None] = lambda step: None,
) -> dict[str, float]:
    """Run every step that is not done yet, in the given order, as many at a time as there are slots.

    Args:
        steps: The steps; each comes after those that it needs.
        folder: Folder for ``logs/<name>.log`` and ``logs/<name>.done``.
        slots: Environment variables for each step that may run at a time; by default those of :func:`job_slots`.
        on_done: Called after every step that ends well in this run.

    Returns:
        Duration of every step in seconds, including those done in an earlier run.

    Raises:
        InputError: A command failed; the message quotes the end of its log. The other running commands are stopped.
    """
    folder.joinpath('logs').mkdir(parents=True, exist_ok=True)
    console = Console()
    columns = (SpinnerColumn(), TextColumn('{task.description}', markup=False), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal, auto_refresh=False) as progress:
        queue = _StepQueue(steps, folder, list(slots or job_slots()), progress)
        try:
            queue.work(on_done)
        finally:
            queue.stop()
    return {step.name: read_record(folder, step.name)['seconds'] for step in steps}


class _StepQueue:
    """The steps that wait and those that run; the arguments are those of :func:`run_steps`."""

    def __init__(self, steps: Sequence[Step], folder: Path, slots: list[Mapping[str, str]], progress: Progress) -> None:
        self.folder, self.free_slots, self.progress = folder, slots, progress
        self.titles = {step.name: f'[{number}/{len(steps)}] {step.name}' for number, step in enumerate(steps, start=1)}
        self.done = {step.name for step in steps if is_done(folder, step.name)}
        self.waiting = [step for step in steps if step.name not in self.done]
        self.running: list[_RunningStep] = []
        if len(self.done) > _MOST_NAMED:
            self._print(f'{len(self.done)} of {len(steps)} steps were done before')
        else:
            for name in sorted(self.done, key=list(self.titles).index):
                self._print(f'{self.titles[name]}: done before')
        self.overall = progress.add_task(
            'all steps', total=len(steps), completed=len(self.done), visible=bool(self.waiting)
        )

    def work(self, on_done: Callable[[Step], None]) -> None:
        """Run all steps.

        Raises:
            InputError: A command failed.
        """
        while self.waiting or self.running:
            self._start_ready()
            for run in [run for run in self.running if run.ended()]:
                self.running.remove(run)
                self.free_slots.append(run.slot)
                run.write_record(record_path(self.folder, run.step.name))
                self.done.add(run.step.name)
                self.progress.advance(self.overall)
                on_done(run.step)
                self._print(f'{self.titles[run.step.name]}: {run.seconds:.0f} s')
            self.progress.refresh()
            if self.running:
                time.sleep(_POLL_INTERVAL)

    def stop(self) -> None:
        """Stop all running commands."""
        for run in self.running:
            run.child.stop()
        deadline = time.monotonic() + _STOP_TIMEOUT
        while any(run.child.poll() is None for run in self.running):
            if time.monotonic() > deadline:
                for run in self.running:
                    run.child.stop(signal.SIGKILL)
            time.sleep(_POLL_INTERVAL)

    def _start_ready(self) -> None:
        ready = [step for step in self.waiting if self.done.issuperset(step.needs)]
        if not ready and not self.running and self.waiting:
            raise ValueError(f'step {self.waiting[0].name!r} needs {self.waiting[0].needs}, which no step provides')
        for step in ready[: len(self.free_slots)]:
            self.waiting.remove(step)
            title = self.titles[step.name]
            if not self.progress.console.is_terminal:
                self._print(f'{title} ...')
            self.running.append(_RunningStep(step, title, self.folder, self.free_slots.pop(0), self.progress))

    def _print(self, text: str) -> None:
        self.progress.console.print(text, markup=False, highlight=False, soft_wrap=True)


class _RunningStep:
    """A step that runs: its process, its log and its progress bar."""

    def __init__(self, step: Step, title: str, folder: Path, slot: Mapping[str, str], progress: Progress) -> None:
        self.step, self.slot, self.progress = step, slot, progress
        self.log = folder / 'logs' / f'{step.name}.log'
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self.bytes_read = self.log.stat().st_size if self.log.is_file() else 0
        self.begun, self.seconds = time.monotonic(), 0.0
        self.child = Child([*step.command, *step.resume()], self.log, slot)
        self.task = progress.add_task(title, total=1.0)

    def ended(self) -> bool:
        """Update the progress from the log, and return True once the command has ended.

        Raises:
            InputError: The command failed.
        """
        status = self.child.poll()
        with self.log.open(errors='replace') as file:
            file.seek(self.bytes_read)
            new = file.read()
        self.bytes_read += len(new.encode(errors='replace'))
        shares = [share for line in new.splitlines() if (share := share_done(line, self.step.epochs)) is not None]
        if shares:
            self.progress.update(self.task, completed=shares[-1])
        if status is None:
            return False
        self.seconds = time.monotonic() - self.begun
        self.progress.remove_task(self.task)
        if status:
            lines = [line for line in self.log.read_text(errors='replace').splitlines() if line.strip()]
            raise InputError(f'step {self.step.name!r} ended with status {status}: {lines[-1]} (whole log: {self.log})')
        return True

    def write_record(self, path: Path) -> None:
        """Write the record that the step is done."""
        record = {'seconds': self.seconds, 'cpu_seconds': self.child.cpu_seconds, 'command': self.step.command}
        write_text(path, json.dumps(record))


def share_done(line: str, epochs: int | None) -> float | None:
    """Read the progress of a command, in [0, 1], from a line of MMEngine's log; None if the line has none."""
    if epochs and (found := _EPOCH.search(line)):
        epoch, batch, batches = map(int, found.groups())
        return (epoch - 1 + batch / batches) / epochs
    if not epochs and (found := _ITERATION.search(line)):
        done, total = (int(value) for value in found.groups() if value is not None)
        return done / total
    return None


def record_path(folder: Path, name: str) -> Path:
    """Return the file that exists once a step is done."""
    return folder / 'logs' / f'{name}.done'


def is_done(folder: Path, name: str) -> bool:
    """Return True if a step is done."""
    return record_path(folder, name).is_file()


def read_record(folder: Path, name: str) -> dict:
    """Read the record of a step that is done: ``seconds``, ``cpu_seconds`` and ``command``."""
    return json.loads(record_path(folder, name).read_text())


def job_slots(jobs: int | None = None) -> list[dict[str, str]]:
    """Return the environment variables of every job that may run in parallel here; see :func:`share_out`."""
    given = os.environ.get('CUDA_VISIBLE_DEVICES')
    gpus = given.split(',') if given else [str(number) for number in range(torch.cuda.device_count())]
    threads = os.environ.get('OMP_NUM_THREADS', '')
    return share_out(
        jobs, gpus[: torch.cuda.device_count()], count_cores(), int(threads) if threads.isdecimal() else None
    )


def share_out(jobs: int | None, gpus: Sequence[str], cores: int, threads: int | None = None) -> list[dict[str, str]]:
    """Give every job a GPU, or a share of the cores.

    Args:
        jobs: Number of jobs, at least 1. None takes one job per GPU, or one single-threaded job per core, since two
            small trainings side by side finish sooner than one after the other with two threads each.
        gpus: Their names in ``CUDA_VISIBLE_DEVICES``; more jobs than GPUs share them in turn.
        cores: Number of CPU cores.
        threads: Threads per job on the CPU, where the user has set ``OMP_NUM_THREADS``; None shares out the cores.
            Without ``jobs``, as many jobs run as have room on the cores.

    Raises:
        InputError: ``jobs`` is below 1.
    """
    if jobs is not None and jobs < 1:
        raise InputError(f'--jobs is {jobs}; give 1 or more')
    if gpus:
        return [{'CUDA_VISIBLE_DEVICES': gpus[number % len(gpus)]} for number in range(jobs or len(gpus))]
    jobs = jobs or max(1, cores // (threads or 1))
    return [{'OMP_NUM_THREADS': str(threads or max(1, cores // jobs))} for _ in range(jobs)]


def count_cores() -> int:
    """Count the CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count() or 1


def hardware() -> str:
    """Describe this machine, such as ``x86_64, 2 cores, no GPU``."""
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else 'no GPU'
    return f'{platform.machine()}, {count_cores()} cores, {gpu}'


def software() -> str:
    """Name the versions of Python and PyTorch."""
    return f'Python {platform.python_version()}, torch {torch.__version__}'
