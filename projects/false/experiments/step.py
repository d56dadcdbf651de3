"""One command, what it needs, and the marks that it leaves."""

import json
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

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
