"""Choose the checkpoint that a run resumes from: the last complete one of its work folder."""

import json
import os
import socket
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

from mmengine.dist import all_gather_object, broadcast_object_list, is_main_process

from projects.false.common.errors import InputError
from projects.false.common.files import write_text

from .files import DamagedCheckpoint, read_checkpoint, verify_checkpoint

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


class Found(NamedTuple):
    """A checkpoint to go on from.

    Attributes:
        path: The file; None if there is no complete checkpoint.
        skipped: What was passed over, and why.
    """

    path: str | None
    skipped: list[str]


def pointed_to(folder: str | os.PathLike) -> str | None:
    """Read ``last_checkpoint``; a file of that name in the folder goes first, since folders are moved and copied.

    Returns:
        The checkpoint that it names, which may be missing; None if there is no such file or nothing in it.
    """
    try:
        lines = Path(folder, 'last_checkpoint').read_text(encoding='utf-8', errors='replace').splitlines()
    except OSError:
        return None
    named = lines[0].strip() if lines else ''
    here = os.path.join(folder, os.path.basename(named))
    return here if named and os.path.isfile(here) else named or None


def iteration_of(checkpoint: object) -> int | None:
    """Iterations that a checkpoint has behind it; None if training cannot go on from it, as from weights alone."""
    if not isinstance(checkpoint, dict) or not {'meta', 'state_dict', 'message_hub'} <= checkpoint.keys():
        return None
    meta = checkpoint['meta']
    number = meta.get('iter') if isinstance(meta, dict) else None
    return number if isinstance(number, int) else None


def find_latest_checkpoint(folder: str | os.PathLike, runs: Collection[str] | None = None) -> Found:
    """Find the checkpoint that ``last_checkpoint`` names, or else the complete one with the most iterations.

    The best checkpoints of a validation are left aside: they have no optimizer.

    Args:
        folder: The work folder.
        runs: Only checkpoints of these (MMEngine's ``experiment_name``); None takes all.

    Raises:
        InputError: A file asks for code to run; that is never passed over in silence.
    """
    named, skipped = pointed_to(folder), []
    if named is not None:
        if not os.path.isfile(named):
            skipped.append(f'last_checkpoint names {named}, which is missing')
        else:
            try:
                checkpoint = verify_checkpoint(named)
                if iteration_of(checkpoint) is None:
                    skipped.append(f'last_checkpoint names {named}, which training cannot go on from')
                elif _is_of(checkpoint, runs):
                    return Found(named, [])
                else:
                    skipped.append(f'last_checkpoint names {named}, which is of an earlier run')
            except DamagedCheckpoint:
                skipped.append(f'{named} is damaged')
    places = {os.path.abspath(folder): Path(folder)}
    if named and os.path.dirname(named):  # checkpoints may lie in an out_dir of their own
        places.setdefault(os.path.abspath(os.path.dirname(named)), Path(named).parent)
    files = [path for place in places.values() for path in sorted(place.glob('*.pth')) if path.is_file()]
    looked_at = named and os.path.abspath(named)
    candidates = []
    for path in files:
        if not path.name.startswith(('best_', '.')) and os.path.abspath(path) != looked_at:
            try:
                checkpoint = read_checkpoint(path, mmap=True)
            except DamagedCheckpoint:
                skipped.append(f'{path} is damaged')
                continue
            iteration = iteration_of(checkpoint)
            if iteration is not None and _is_of(checkpoint, runs):
                candidates.append((iteration, path.stat().st_mtime, path))
    for _, _, path in sorted(candidates, reverse=True):
        try:
            verify_checkpoint(path)
            return Found(str(path), skipped)
        except DamagedCheckpoint:
            skipped.append(f'{path} is damaged')
    return Found(None, skipped)


def choose_resumed(given: str, folder: str | os.PathLike) -> Found:
    """Decide what a run goes on from.

    Args:
        given: ``'auto'``, for the work folder's latest checkpoint, or a file.
        folder: The work folder.

    Returns:
        The checkpoint; without one the run begins.

    Raises:
        InputError: The file does not exist, is damaged, asks for code to run or holds no more than weights, or the work
            folder has checkpoints and all are damaged.
    """
    if given != 'auto':
        if not os.path.isfile(given):
            raise InputError(f'{given}: no such checkpoint to resume from')
        if iteration_of(read_checkpoint(given, mmap=True)) is None:
            raise InputError(
                f'{given}: holds weights alone, training cannot go on from it; give an epoch_N.pth or iter_N.pth, or '
                'start a new run from the weights: model.backbone.init_cfg.checkpoint or load_from in --cfg-options'
            )
        return Found(given, [])
    latest = find_latest_checkpoint(folder)
    if latest.path is None and latest.skipped:
        raise InputError(
            f'{folder}: no complete checkpoint to go on from ({"; ".join(latest.skipped)}); give one with --resume '
            'FILE, or remove last_checkpoint and the damaged files to begin anew'
        )
    return latest


def choose_after_restart(folder: str | os.PathLike, record: LaunchRecord) -> Found:
    """Decide what a run goes on from that torchrun started again: what it saved itself, else what it began with.

    Args:
        folder: The work folder, perhaps with checkpoints of earlier runs.
        record: Of the starts before.

    Returns:
        The checkpoint; without one the run begins.

    Raises:
        InputError: It saved nothing, and the checkpoint that it began with is gone.
    """
    latest = find_latest_checkpoint(folder, record.runs)
    if latest.path is not None or record.resumed is None:
        return latest
    return Found(choose_resumed(record.resumed, folder).path, latest.skipped)


def _is_of(checkpoint: dict, runs: Collection[str] | None) -> bool:
    return runs is None or checkpoint['meta'].get('experiment_name') in runs


def agree_on_checkpoint(runner) -> None:
    """Let every process go on from the file that the first one chose, also where the others do not see its folder."""
    choice = [(runner._resume, runner._load_from)]
    broadcast_object_list(choice)
    runner._resume, runner._load_from = choice[0]
