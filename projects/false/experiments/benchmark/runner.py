"""Run a benchmark, or the rest of one: every finished run adds one line to ``results.jsonl``."""

import json
import os
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path

import torch

from projects.false.common.errors import InputError
from projects.false.common.files import atomic_write, remove_stale, write_text
from projects.false.common.work_lock import work_dir_locked
from projects.false.engine.checkpoints.files import read_checkpoint

from ..children import preload
from ..steps import Step, job_slots, mark_of, python, run_steps, software, step_facts
from .checks import BenchmarkData, check_data
from .plan import Plan, Run, make_plan
from .recipes import digest
from .spec import Spec, choose_methods


def keep_weights_alone(folder: Path) -> None:
    """Take optimizer, schedules and random states out of the checkpoints of a finished run: two thirds of their size.

    Args:
        folder: Work folder of a training that will not be resumed.
    """
    for path in sorted(folder.glob('*.pth')):
        checkpoint = read_checkpoint(path)
        if isinstance(checkpoint, dict) and 'optimizer' in checkpoint:
            kept = {key: checkpoint[key] for key in ('meta', 'state_dict') if key in checkpoint}
            with atomic_write(path) as file:
                torch.save(kept, file)


def read_results(path: Path) -> list[dict]:
    """Read all results, and cut off a last line that a killed process left unfinished.

    Only for the process that has the folder's lock.

    Raises:
        InputError: A line is damaged, or the file cannot be read or mended.
    """
    if not path.exists():
        return []
    try:
        data = path.read_bytes()
        whole = data[: data.rfind(b'\n') + 1]
        if len(whole) < len(data):
            os.truncate(path, len(whole))
    except OSError as error:
        raise InputError(f'{path}: cannot be read ({error.strerror}); make it readable and writable') from error
    results = []
    for number, line in enumerate(whole.splitlines(), start=1):
        try:
            results.append(json.loads(line))
            results[-1]['run']['method']
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(
                f'{path}, line {number}: no result ({error!r}); remove the line, its run is tested again'
            ) from error
    return results


def append_result(path: Path, result: dict) -> None:
    """Add a result; it is on the disk when this returns.

    Raises:
        InputError: The file cannot be written.
    """
    line = json.dumps(result, allow_nan=False).encode() + b'\n'
    try:
        with open(path, 'ab', buffering=0) as file:
            _write(file.fileno(), line)
            os.fsync(file.fileno())
    except OSError as error:
        raise InputError(f'{path}: cannot be written ({error.strerror}); free space and call again') from error


def _write(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


class Benchmark:
    """A benchmark in its work folder; use it as a context manager, which keeps other runners out.

    Args:
        spec: What to compare.
        folder: Where everything goes.
        part: ``val`` or ``test``; None takes that of the spec.
        methods: Names of methods or tiers; none means all.
        jobs: As of :func:`.steps.job_slots`.

    Attributes:
        data: What is known of the data.
        plan: Runs and steps.

    Raises:
        InputError: Another runner is at work, or spec, data and folder do not fit together.
    """

    def __init__(
        self, spec: Spec, folder: Path, part: str | None = None, methods: Sequence[str] = (), jobs: int | None = None
    ) -> None:
        self.spec, self.folder, self.part = spec.located(folder), folder, part or spec.part
        self.methods = choose_methods(spec, methods)
        self._preparation = digest(spec.prepare)  # before places are filled in: the folder may move
        self.slots = job_slots(jobs)
        self.data: BenchmarkData
        self.plan: Plan

    def __enter__(self) -> 'Benchmark':
        """Take the folder, make the data if it is missing, and check everything."""
        self._lock = work_dir_locked(self.folder)
        self._lock.__enter__()
        try:
            remove_stale(self.folder)
            self._prepare()
            self.data = check_data(self.spec, self.part)
            self.plan = make_plan(self.spec, self.methods, self.part, self.data, self.folder)
            self._claimed()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *error) -> None:
        """Give the folder back."""
        self._lock.__exit__(None, None, None)

    def run(self) -> None:
        """Do what is left.

        Raises:
            InputError: A step failed.
        """
        self.claim()
        self._record_finished()
        recorded = self._recorded()
        left = [run for run in self.plan.runs if run.key not in recorded]
        needed = {name for run in left for name in run.names if name}
        steps = [step for step in self.plan.steps if step.name in needed]
        if steps:
            preload()
            by_test = {run.names[2]: run for run in left}
            run_steps(steps, self.folder, self.slots, lambda step: self._ended(step, by_test))

    def results(self) -> list[dict]:
        """The finished runs of the plan, in its order."""
        found = self._recorded()
        return [found[run.key] for run in self.plan.runs if run.key in found]

    @property
    def _results(self) -> Path:
        return self.folder / 'results.jsonl'

    def _recorded(self) -> dict[tuple, dict]:
        """The lines of the file by run.

        Raises:
            InputError: A line is damaged, or of a run with other settings.
        """
        found = {run_key(result): result for result in read_results(self._results)}
        for run in self.plan.runs:
            if run.key in found and found[run.key].get('fingerprint') != run.fingerprint:
                raise InputError(
                    f'{self._results}: holds {run.names[2]} of other settings or data; choose another --work-dir'
                )
        return found

    def _ended(self, step: Step, by_test: dict[str, Run]) -> None:
        if step.name in by_test:
            append_result(self._results, self._result(by_test[step.name]))
        else:
            keep_weights_alone(self.folder / step.name)

    def _record_finished(self) -> None:
        """Add the lines of tests that ended just before a runner was killed."""
        recorded = self._recorded()
        for run in self.plan.runs:
            if run.key not in recorded and step_facts(self.folder, run.names[2]):
                append_result(self._results, self._result(run))

    def _result(self, run: Run) -> dict:
        path = self.folder / run.names[2] / 'scores.json'
        try:
            found = json.loads(path.read_text())
        except (OSError, ValueError) as error:
            mark = mark_of(self.folder, run.names[2])
            raise InputError(f'{path}: not readable ({error}); remove {mark} to test again') from error
        times = {kind: step_facts(self.folder, name) for kind, name in zip(_KINDS, run.names, strict=True) if name}
        return {
            'run': run.key._asdict(),
            'scores': {name: value if value == value else None for name, value in found['scores'].items()},
            'classes': found['classes'],
            'confusion_matrix': found['confusion_matrix'],
            'labelled_patches': run.labelled,
            'tested_patches': self.data.tested,
            'fingerprint': run.fingerprint,
            'seconds': {kind: round(facts['seconds'], 1) for kind, facts in times.items()},
            'cpu_seconds': {
                kind: facts['cpu_seconds'] and round(facts['cpu_seconds'], 1) for kind, facts in times.items()
            },
            'finished': datetime.now(timezone.utc).isoformat(timespec='seconds'),
            'software': software(),
        }

    def _prepare(self) -> None:
        root = Path(self.spec.data_root)
        if not self.spec.prepare:
            return
        before, inside = self._settings(), root.resolve().is_relative_to(self.folder.resolve())
        if inside and before.get(_PREPARED, self._preparation) != self._preparation:
            raise InputError(
                f'{root}: was made, or begun, by other commands than data.prepare has now; choose another --work-dir, '
                f'or remove {self.folder}'
            )
        if (root / 'dataset.json').is_file():
            return
        write_text(self.folder / 'settings.json', json.dumps(before | {_PREPARED: self._preparation}, indent=1))
        names = [f'prepare/{number}' for number in range(1, len(self.spec.prepare) + 1)]
        if all(step_facts(self.folder, name) for name in names):  # the data was removed since
            for name in names:
                mark_of(self.folder, name).unlink()
        steps = [
            Step(name, python(command[0], *command[1:]), needs=tuple(names[:number]))
            for number, (name, command) in enumerate(zip(names, self.spec.prepare, strict=True))
        ]
        run_steps(steps, self.folder, self.slots[:1])

    def claim(self) -> None:
        """Note what every step depends on, so that none is taken for done that was run otherwise."""
        fingerprints = self._claimed() | self.plan.fingerprints
        write_text(self.folder / 'settings.json', json.dumps(fingerprints, indent=1))
        for name, config in self.plan.recipes.items():
            write_text(self.folder / 'recipes' / name, config.pretty_text)

    def _claimed(self) -> dict[str, str]:
        """What the steps that have begun depended on.

        Raises:
            InputError: The folder holds a run of the same name and other settings.
        """
        begun = {
            name: fingerprint
            for name, fingerprint in self._settings().items()
            if name == _PREPARED
            or (self.folder / 'logs' / f'{name}.log').exists()
            or mark_of(self.folder, name).exists()
        }
        for name, fingerprint in self.plan.fingerprints.items():
            if begun.get(name, fingerprint) != fingerprint:
                raise InputError(
                    f'{self.folder}: {name} was run with other settings, data or recipe; choose another --work-dir, or '
                    f'remove {self.folder}'
                )
        return begun

    def _settings(self) -> dict[str, str]:
        path = self.folder / 'settings.json'
        if not path.is_file():
            return {}
        try:
            return dict(json.loads(path.read_text()))
        except ValueError as error:
            raise InputError(f'{path}: is damaged; choose another --work-dir, or remove {self.folder}') from error


_PREPARED = 'prepare'
_KINDS = ('pretrain', 'finetune', 'test')


def run_key(result: dict) -> tuple:
    """Which run a line of results is of; equal to its :class:`RunKey`."""
    run = result['run']
    return tuple(run[name] for name in ('protocol', 'fraction', 'method', 'seed', 'draw', 'part'))
