"""Steps on their way: which may start, which run, which ended."""

import json
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from rich.progress import Progress, TaskID

from projects.false.atomic_write import write_text
from projects.false.errors import InputError

from .children import Child
from .step import Step, mark_of, share_done

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
