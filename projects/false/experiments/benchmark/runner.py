"""Run or resume a benchmark; every finished run adds one line to ``results.jsonl``."""

import json
import os
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import torch

from projects.false.common.errors import InputError
from projects.false.common.files import atomic_write, remove_stale, writable, write_text
from projects.false.common.work_lock import work_dir_locked
from projects.false.engine.checkpoints.files import read_checkpoint
from projects.false.patch_folder.appearance import FILE

from ..children import preload
from ..steps import Step, is_done, job_slots, read_record, record_path, run_steps, software, tool_command
from .checks import BenchmarkData, check_data
from .plan import Plan, PlannedRun, RunKey, make_plan
from .recipes import appearance_digest, digest
from .spec import Spec, choose_methods

_PREPARED = 'prepare'  # key in settings.json of the commands that made the data
_FILES = 'files'  # key in settings.json of the files that trainings read beside their patches


def read_results(path: Path) -> list[dict]:
    """Read all results, and truncate a last line that a killed process left incomplete.

    Only the process that holds the lock of the folder may call this.

    Raises:
        InputError: A line is damaged, or the file cannot be read or truncated.
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
            RunKey(**results[-1]['run'])
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(
                f'{path}, line {number}: not a result ({error!r}); remove the line to test its run again'
            ) from error
    return results


def append_result(path: Path, result: dict) -> None:
    """Append a result and flush it to the disk.

    Raises:
        InputError: The file cannot be written.
    """
    line = json.dumps(result, allow_nan=False).encode() + b'\n'
    with writable(path, 'free space and call again'), open(path, 'ab', buffering=0) as file:
        _write(file.fileno(), line)
        os.fsync(file.fileno())


def _write(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


class Benchmark:
    """A benchmark in its work folder; a context manager that keeps other runners out.

    Args:
        spec: The spec.
        folder: Work folder, which gets recipes, logs, checkpoints and results.
        part: ``val`` or ``test``; None takes that of the spec.
        methods: Names of methods or tiers; none means all.
        jobs: Number of parallel jobs; for None it is chosen by :func:`~projects.false.experiments.steps.share_out`.

    Attributes:
        data: The data, after a check.
        plan: The runs and their steps.

    Raises:
        InputError: Another runner uses the folder, or spec, data and folder do not fit together.
    """

    def __init__(
        self, spec: Spec, folder: Path, part: str | None = None, methods: Sequence[str] = (), jobs: int | None = None
    ) -> None:
        self.spec, self.folder, self.part = spec.with_paths(folder), folder, part or spec.part
        self.methods = choose_methods(spec, methods)
        self._preparation = digest(spec.prepare)  # before paths are filled in, as the folder may move
        self.slots = job_slots(jobs)
        self.data: BenchmarkData
        self.plan: Plan

    def __enter__(self) -> 'Benchmark':
        """Lock the folder, make the data if it is missing, and check everything."""
        self._lock = work_dir_locked(self.folder)
        self._lock.__enter__()
        try:
            remove_stale(self.folder)
            self._prepare()
            self.data = check_data(self.spec, self.part)
            self.plan = make_plan(self.spec, self.methods, self.part, self.data, self.folder)
            self._check_settings()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *error) -> None:
        """Release the folder."""
        self._lock.__exit__(None, None, None)

    def run(self) -> None:
        """Run the steps that are not done yet.

        Raises:
            InputError: A step failed.
        """
        self.write_settings()
        self._append_missed()
        recorded = self._results_by_key()
        left = [run for run in self.plan.runs if run.key not in recorded]
        needed = {name for run in left for name in run.step_names}
        steps = [step for step in self.plan.steps if step.name in needed]
        self._forget_lost_choices(needed)
        if steps:
            preload()
            by_test = {run.testing: run for run in left}
            try:
                run_steps(steps, self.folder, self.slots, lambda step: self._finish(step, by_test))
            finally:
                self._note_appearance()

    def _forget_lost_choices(self, needed: set[str]) -> None:
        """Let patches be chosen again whose list is gone, since the data was made anew, for example."""
        for name, chosen in self.plan.choices.items():
            if name in needed and not (self.data.root / 'splits' / f'{chosen}.txt').is_file():
                record_path(self.folder, name).unlink(missing_ok=True)

    def results(self) -> list[dict]:
        """Return the results of the finished runs, in the order of the plan."""
        found = self._results_by_key()
        return [found[run.key] for run in self.plan.runs if run.key in found]

    @property
    def _results_file(self) -> Path:
        return self.folder / 'results.jsonl'

    def _results_by_key(self) -> dict[RunKey, dict]:
        """Read the results of all runs.

        Raises:
            InputError: A line is damaged, or belongs to a run with other settings.
        """
        found = {RunKey(**result['run']): result for result in read_results(self._results_file)}
        for run in self.plan.runs:
            if run.key in found and found[run.key].get('fingerprint') != run.fingerprint:
                raise InputError(
                    f'{self._results_file}: holds {run.testing} of other settings or data; choose another --work-dir'
                )
        return found

    def _finish(self, step: Step, by_test: dict[str, PlannedRun]) -> None:
        """Append the result of a test; reduce the checkpoints of a training to their weights."""
        if step.name in by_test:
            append_result(self._results_file, self._result(by_test[step.name]))
        else:
            drop_training_state(self.folder / step.name)
            self._note_appearance()

    def _note_appearance(self) -> None:
        """Store which clusters a pretraining of this call has made, so that later ones are compared with them.

        Raises:
            InputError: Those of an earlier call were removed, and these differ.
        """
        made = appearance_digest(self.data.root)
        if made is not None and any(None in files.values() for files in self.plan.files.values()):
            for files in self.plan.files.values():
                files.update({path: made for path, known in files.items() if known is None})
            self.write_settings()

    def _append_missed(self) -> None:
        """Append the results of tests that ended just before a runner was killed."""
        recorded = self._results_by_key()
        for run in self.plan.runs:
            if run.key not in recorded and is_done(self.folder, run.testing):
                append_result(self._results_file, self._result(run))

    def _result(self, run: PlannedRun) -> dict:
        path = self.folder / run.testing / 'scores.json'
        try:
            found = json.loads(path.read_text())
        except (OSError, ValueError) as error:
            record = record_path(self.folder, run.testing)
            raise InputError(f'{path}: not readable ({error}); remove {record} to test again') from error
        steps = {'pretrain': run.pretraining, 'finetune': run.fine_tuning, 'test': run.testing}
        records = {kind: read_record(self.folder, name) for kind, name in steps.items() if name}
        return {
            'run': run.key._asdict(),
            'scores': {name: value if value == value else None for name, value in found['scores'].items()},
            'classes': found['classes'],
            'confusion_matrix': found['confusion_matrix'],
            'labelled_patches': run.labelled,
            'tested_patches': self.data.tested,
            'fingerprint': run.fingerprint,
            'seconds': {kind: round(record['seconds'], 1) for kind, record in records.items()},
            'cpu_seconds': {
                kind: record['cpu_seconds'] and round(record['cpu_seconds'], 1) for kind, record in records.items()
            },
            'finished': datetime.now(timezone.utc).isoformat(timespec='seconds'),
            'software': software(),
        }

    def _prepare(self) -> None:
        """Run the commands that make the data, if it is missing.

        Raises:
            InputError: The data was made by other commands, or a command failed.
        """
        root = Path(self.spec.data_root)
        if not self.spec.prepare:
            return
        before, inside = self._read_settings(), root.resolve().is_relative_to(self.folder.resolve())
        if inside and before.get(_PREPARED, self._preparation) != self._preparation:
            raise InputError(
                f'{root}: was made by other commands than data.prepare now has; choose another --work-dir, '
                f'or remove {self.folder}'
            )
        if (root / 'dataset.json').is_file():
            return
        write_text(self.folder / 'settings.json', json.dumps(before | {_PREPARED: self._preparation}, indent=1))
        names = [f'prepare/{number}' for number in range(1, len(self.spec.prepare) + 1)]
        if all(is_done(self.folder, name) for name in names):  # the data was removed since
            for name in names:
                record_path(self.folder, name).unlink()
        steps = [
            Step(name, tool_command(command[0], *command[1:]), needs=tuple(names[:number]))
            for number, (name, command) in enumerate(zip(names, self.spec.prepare, strict=True))
        ]
        run_steps(steps, self.folder, self.slots[:1])

    def write_settings(self) -> None:
        """Store the fingerprint of every step, so that a step run with other settings is not taken for done."""
        settings = self._check_settings() | self.plan.fingerprints
        files = settings.pop(_FILES, {})
        for name, read in self.plan.files.items():
            files[name] = files.get(name, {}) | {path: found for path, found in read.items() if found is not None}
        if any(files.values()):
            settings[_FILES] = files
        write_text(self.folder / 'settings.json', json.dumps(settings, indent=1))
        for name, config in self.plan.recipes.items():
            write_text(self.folder / 'recipes' / name, config.pretty_text)

    def _check_settings(self) -> dict[str, Any]:
        """Return the fingerprints of the steps that have begun, after comparing them with the plan.

        Raises:
            InputError: The folder holds a step of the same name with other settings or that read other files.
        """
        stored = self._read_settings()
        begun = {name: value for name, value in stored.items() if name == _PREPARED or self._has_begun(name)}
        for name, fingerprint in self.plan.fingerprints.items():
            if begun.get(name, fingerprint) != fingerprint:
                raise InputError(
                    f'{self.folder}: {name} was run with other settings, data or recipe; choose another --work-dir, or '
                    f'remove {self.folder}'
                )
        files = {name: read for name, read in stored.get(_FILES, {}).items() if self._has_begun(name)}
        for name, read in files.items():
            for path, found in self.plan.files.get(name, {}).items():
                if found not in (None, read.get(path, found)):
                    place = self.data.root / path if path == FILE else path
                    raise InputError(
                        f'{place}: changed since {name} of {self.folder} read it; restore it, or choose another '
                        '--work-dir'
                    )
        return begun | ({_FILES: files} if files else {})

    def _has_begun(self, name: str) -> bool:
        return (self.folder / 'logs' / f'{name}.log').exists() or is_done(self.folder, name)

    def _read_settings(self) -> dict[str, Any]:
        path = self.folder / 'settings.json'
        if not path.is_file():
            return {}
        try:
            return dict(json.loads(path.read_text()))
        except ValueError as error:
            raise InputError(f'{path}: is damaged; choose another --work-dir, or remove {self.folder}') from error


def drop_training_state(folder: Path) -> None:
    """Remove optimizer, schedules and random states, two thirds of their size, from the checkpoints of a finished run.

    Args:
        folder: Work folder of a training that will not be resumed.
    """
    for path in sorted(folder.glob('*.pth')):
        checkpoint = read_checkpoint(path)
        if isinstance(checkpoint, dict) and 'optimizer' in checkpoint:
            kept = {key: checkpoint[key] for key in ('meta', 'state_dict') if key in checkpoint}
            with atomic_write(path) as file:
                torch.save(kept, file)
