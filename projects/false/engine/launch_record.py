"""Which checkpoints of a work folder belong to the torchrun that started this process, in case it starts it again."""

import json
import os
import socket
from pathlib import Path
from typing import NamedTuple

from mmengine.dist import all_gather_object, is_main_process

from projects.false.atomic_write import write_text
from projects.false.errors import InputError

_NAME = '.launch.json'


class LaunchRecord(NamedTuple):
    """What the processes of one torchrun did in a work folder.

    Attributes:
        launchers: Who started them, one a machine.
        runs: ``experiment_name`` of every start; MMEngine notes it, with its time, in each checkpoint.
        resumed: Checkpoint that the first start went on from; None if it began.
    """

    launchers: list[str]
    runs: list[str]
    resumed: str | None


def launcher() -> str | None:
    """Name the torchrun that started this process, alike after each of its restarts; None without one.

    Its run id is not enough: several launches may share one. The folder of its error files is made anew by each.
    """
    file = os.environ.get('TORCHELASTIC_ERROR_FILE')
    if not file:
        return None
    return f'{socket.gethostname()} {os.environ.get("TORCHELASTIC_RUN_ID", "")} {Path(file).parents[2]}'


def read_record(folder: str | os.PathLike) -> LaunchRecord | None:
    """Read what this torchrun did in a work folder; None if this is its first start there."""
    try:
        noted = json.loads(Path(folder, _NAME).read_text(encoding='utf-8'))
        record = LaunchRecord(list(noted['launchers']), list(noted['runs']), noted['resumed'])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    name = launcher()
    return record if name is not None and name in record.launchers else None


def note_start(runner) -> None:
    """Note a start of torchrun's in the work folder, before the first checkpoint; all processes call it.

    Raises:
        InputError: The folder cannot be written.
    """
    launchers = sorted({name for name in all_gather_object(launcher()) if name})
    if not launchers or not is_main_process():
        return
    resumed = os.path.abspath(runner._load_from) if runner._resume and runner._load_from else None
    before = read_record(runner.work_dir) or LaunchRecord([], [], resumed)
    record = LaunchRecord(launchers, [*before.runs, runner.experiment_name], before.resumed)
    try:
        write_text(Path(runner.work_dir, _NAME), json.dumps(record._asdict()))
    except OSError as error:
        raise InputError(f'{runner.work_dir}: cannot be written ({error.strerror}); free space') from error
