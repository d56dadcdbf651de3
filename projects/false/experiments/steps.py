"""Run commands that depend on each other: logged to files, shown live, skipped once they are done."""

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
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from projects.false.common.errors import InputError
from projects.false.common.files import write_text

from .children import Child

_EPOCH = re.compile(r'Epoch\(train\)\s+\[(\d+)\]\[\s*(\d+)/(\d+)\]')
_ITERATION = re.compile(r'Iter\((?:train|val|test)\)\s+\[\s*(\d+)/(\d+)\]|Epoch\(test\)\s+\[\s*(\d+)/(\d+)\]')


@dataclass(frozen=True)
class Step:
    """One command.

    Attributes:
        name: Shown to the user; also the name of the log and of the mark that it is done, so ``/`` makes folders.
        command: Program and arguments.
        resume: Arguments to add if an earlier try left something to continue from.
        epochs: Length of a pretraining, to show its progress.
        needs: Names of the steps that must be done before.
    """

    name: str
    command: tuple[str, ...]
    resume: Callable[[], Sequence[str]] = tuple
    epochs: int | None = None
    needs: tuple[str, ...] = ()


def share_done(line: str, epochs: int | None) -> float | None:
    """Read off one line of MMEngine's log how far a command is, in [0, 1]; None if the line does not say."""
    if epochs and (found := _EPOCH.search(line)):
        epoch, batch, batches = map(int, found.groups())
        return (epoch - 1 + batch / batches) / epochs
    if not epochs and (found := _ITERATION.search(line)):
        done, total = (int(value) for value in found.groups() if value is not None)
        return done / total
    return None


def step_facts(folder: Path, name: str) -> dict | None:
    """What is kept of a step that is done: ``seconds``, ``cpu_seconds`` and ``command``; None if it is not done."""
    mark = mark_of(folder, name)
    return json.loads(mark.read_text()) if mark.is_file() else None


def python(script: str, *arguments: object) -> tuple[str, ...]:
    """The command line of one of this repository's tools."""
    root = Path(__file__).resolve().parents[3]
    return (sys.executable, str(root / 'tools' / script), *map(str, arguments))


def resume_if_begun(work: Path) -> Callable[[], Sequence[str]]:
    """``--resume`` as soon as a work folder has a checkpoint."""
    return lambda: ('--resume',) if (work / 'last_checkpoint').is_file() else ()


def mark_of(folder: Path, name: str) -> Path:
    """The file that says that a step is done."""
    return folder / 'logs' / f'{name}.done'


_PAUSE = 0.1  # seconds between looks at the children
_PATIENCE = 10.0  # seconds for what is asked to end
_MOST_NAMED = 10  # steps that were done before


class StepQueue:
    """What is to do, and what is on its way; the arguments are those of :func:`.steps.run_steps`."""

    def __init__(self, steps: Sequence[Step], folder: Path, slots: list[Mapping[str, str]], progress: Progress) -> None:
        self.folder, self.free, self.progress = folder, slots, progress
        self.titles = {step.name: f'[{number}/{len(steps)}] {step.name}' for number, step in enumerate(steps, start=1)}
        self.done: set[str] = set()
        self.waiting: list[Step] = []
        self.running: list[_Running] = []
        for step in steps:
            if mark_of(folder, step.name).is_file():
                self.done.add(step.name)
            else:
                self.waiting.append(step)
        if len(self.done) > _MOST_NAMED:
            self._say(f'{len(self.done)} of {len(steps)} steps were done before')
        else:
            for name in sorted(self.done, key=list(self.titles).index):
                self._say(f'{self.titles[name]}: done before')
        self.overall: TaskID | None = None
        if self.waiting:
            self.overall = progress.add_task('all steps', total=len(steps), completed=len(self.done))

    def work(self, on_done: Callable[[Step], None]) -> None:
        """Run everything.

        Raises:
            InputError: A command failed.
        """
        while self.waiting or self.running:
            self._start_what_can()
            for run in [run for run in self.running if run.ended()]:
                self.running.remove(run)
                self.free.append(run.slot)
                run.keep(mark_of(self.folder, run.step.name))
                self.done.add(run.step.name)
                self.progress.advance(self.overall)
                on_done(run.step)
                self._say(f'{self.titles[run.step.name]}: {run.seconds:.0f} s')
            self.progress.refresh()
            if self.running:
                time.sleep(_PAUSE)

    def stop(self) -> None:
        """End everything that runs."""
        for run in self.running:
            run.child.stop()
        deadline = time.monotonic() + _PATIENCE
        while any(run.child.poll() is None for run in self.running):
            if time.monotonic() > deadline:
                for run in self.running:
                    run.child.stop(signal.SIGKILL)
            time.sleep(_PAUSE)

    def _start_what_can(self) -> None:
        ready = [step for step in self.waiting if self.done.issuperset(step.needs)]
        if not ready and not self.running and self.waiting:
            raise ValueError(f'step {self.waiting[0].name!r} needs {self.waiting[0].needs}, which no step gives')
        for step in ready[: len(self.free)]:
            self.waiting.remove(step)
            if not self.progress.console.is_terminal:
                self._say(f'{self.titles[step.name]} ...')
            self.running.append(_Running(step, self.titles[step.name], self.folder, self.free.pop(0), self.progress))

    def _say(self, text: str) -> None:
        self.progress.console.print(text, markup=False, highlight=False, soft_wrap=True)


class _Running:
    """One step on its way: a child, its log, its line of progress."""

    def __init__(self, step: Step, title: str, folder: Path, slot: Mapping[str, str], progress: Progress) -> None:
        self.step, self.slot, self.progress = step, slot, progress
        self.log = folder / 'logs' / f'{step.name}.log'
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self.read = self.log.stat().st_size if self.log.is_file() else 0
        self.begun, self.seconds = time.monotonic(), 0.0
        self.child = Child([*step.command, *step.resume()], self.log, slot)
        self.task = progress.add_task(title, total=1.0)

    def ended(self) -> bool:
        """Look at the child and at its log.

        Raises:
            InputError: It failed.
        """
        status = self.child.poll()
        with self.log.open(errors='replace') as file:
            file.seek(self.read)
            new = file.read()
        self.read += len(new.encode(errors='replace'))
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

    def keep(self, mark: Path) -> None:
        """Leave the mark that it is done."""
        facts = {'seconds': self.seconds, 'cpu_seconds': self.child.cpu_seconds, 'command': self.step.command}
        write_text(mark, json.dumps(facts))


def cores() -> int:
    """How many CPU cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count() or 1


def job_slots(jobs: int | None = None) -> list[dict[str, str]]:
    """The variables of every job that may run at a time, on this machine; as of :func:`share_out`."""
    import torch

    given = os.environ.get('CUDA_VISIBLE_DEVICES')
    gpus = given.split(',') if given else [str(number) for number in range(torch.cuda.device_count())]
    return share_out(jobs, gpus[: torch.cuda.device_count()], cores())


def share_out(jobs: int | None, gpus: Sequence[str], cores: int) -> list[dict[str, str]]:
    """Give every job a GPU, or a share of the cores.

    Args:
        jobs: How many, at least 1; None takes one a GPU, or one a core, with one computing thread: two small trainings
            beside each other end sooner than one after the other with two threads each.
        gpus: Their names, as ``CUDA_VISIBLE_DEVICES`` has them; more jobs than GPUs share them in turn.
        cores: Number of CPU cores.

    Raises:
        InputError: ``jobs`` is below 1.
    """
    if jobs is not None and jobs < 1:
        raise InputError(f'--jobs is {jobs}; give 1 or more')
    if gpus:
        return [{'CUDA_VISIBLE_DEVICES': gpus[number % len(gpus)]} for number in range(jobs or len(gpus))]
    jobs = jobs or cores
    return [{'OMP_NUM_THREADS': str(max(1, cores // jobs))} for _ in range(jobs)]


def run_steps(
    steps: Sequence[Step],
    folder: Path,
    slots: Sequence[Mapping[str, str]] | None = None,
    on_done: Callable[[Step], None] = lambda step: None,
) -> dict[str, float]:
    """Run every step that is not done yet, as many at a time as there are slots, in the order given.

    Args:
        steps: Every step after those that it needs.
        folder: Where ``logs/<name>.log`` and ``logs/<name>.done`` go.
        slots: As of :func:`job_slots`, the default.
        on_done: Called after every step that ends well; not for those that were done before.

    Returns:
        Seconds of every step, of an earlier run for those that were done.

    Raises:
        InputError: A command failed; the message quotes the end of its log. The others that run are ended.
    """
    folder.joinpath('logs').mkdir(parents=True, exist_ok=True)
    console = Console()
    columns = (SpinnerColumn(), TextColumn('{task.description}', markup=False), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal, auto_refresh=False) as progress:
        queue = StepQueue(steps, folder, list(slots or job_slots()), progress)
        try:
            queue.work(on_done)
        finally:
            queue.stop()
    return {step.name: step_facts(folder, step.name)['seconds'] for step in steps}


def hardware() -> str:
    """Such as ``x86_64, 2 cores, no GPU``."""
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else 'no GPU'
    return f'{platform.machine()}, {cores()} cores, {gpu}'


def software() -> str:
    """Versions of Python and PyTorch."""
    return f'Python {platform.python_version()}, torch {torch.__version__}'
