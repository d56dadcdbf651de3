"""Choose the checkpoint that a run resumes from.

Usually that is the last complete one in its work folder. A run that torchrun restarts resumes from its own checkpoints:
the launch record, ``.launch.json`` in the work folder, distinguishes them from those of earlier runs.
"""

import json
import os
import socket
from collections.abc import Collection
from logging import WARNING
from pathlib import Path
from typing import NamedTuple

from mmengine.dist import all_gather_object, broadcast_object_list, is_main_process
from mmengine.logging import print_log

from projects.false.common.errors import InputError
from projects.false.common.files import writable, write_text

from .files import DamagedCheckpoint, read_checkpoint, verify_checkpoint

_RECORD = '.launch.json'


class Found(NamedTuple):
    """A checkpoint to resume from.

    Attributes:
        path: The file; None if there is no complete checkpoint.
        skipped: Checkpoints that were passed over, each with the reason.
    """

    path: str | None
    skipped: list[str]


class LaunchRecord(NamedTuple):
    """The starts of a run under one torchrun in a work folder.

    Attributes:
        launchers: The torchruns that started them, one per machine.
        runs: ``experiment_name`` of every start; MMEngine writes this name, which includes the time, into each
            checkpoint.
        resumed: Checkpoint that the first start resumed from; None if it started from the beginning.
    """

    launchers: list[str]
    runs: list[str]
    resumed: str | None


def resolve_resume(resume: str | None, folder: str | os.PathLike) -> Found | None:
    """Decide which checkpoint a run resumes from, and log the decision.

    Both ways to start a run call this function. ``tools/train.py`` does so before it builds the runner
    (:func:`~projects.false.engine.launch.set_resume`). OpenMMLab's own ``train.py`` only builds a runner, whose
    :meth:`~projects.false.engine.runner.FALSERunner.load_or_resume` then calls it.

    A run that torchrun restarted resumes from its own latest checkpoint and ignores all others in the work folder. If
    it has saved none, it repeats its first start.

    Args:
        resume: ``'auto'`` for the latest checkpoint of the work folder, or a file; None if nobody asked to resume.
        folder: The work folder.

    Returns:
        The checkpoint, whose ``path`` is None if the run has to start from the beginning; None if nobody asked.

    Raises:
        InputError: The file does not exist, or all checkpoints of the work folder are damaged.
    """
    record = read_record(folder)
    if record is not None:
        found = choose_after_restart(folder, record)
    elif resume is not None:
        found = choose_resumed(resume, folder)
    else:
        _warn_of_checkpoints(folder)
        return None
    for text in found.skipped:
        print_log(f'passed over on resuming: {text}', 'current', WARNING)
    if record is not None:
        origin = found.path or 'the beginning: there is no checkpoint of this run yet'
        print_log(f'restart {len(record.runs)} by torchrun goes on from {origin}', 'current')
    elif found.path is None:
        print_log(f'{folder}: no checkpoint to resume from yet, starting from the beginning', 'current')
    return found


def choose_resumed(given: str, folder: str | os.PathLike) -> Found:
    """Choose the checkpoint that a user asks for.

    Args:
        given: ``'auto'`` for the latest checkpoint of the work folder, or a file.
        folder: The work folder.

    Returns:
        The checkpoint; without one the run starts from the beginning.

    Raises:
        InputError: The file does not exist, is damaged, would run code or holds weights only; or all checkpoints of
            the work folder are damaged.
    """
    if given != 'auto':
        if not os.path.isfile(given):
            raise InputError(f'{given}: no such checkpoint to resume from')
        if iteration_of(read_checkpoint(given, mmap=True)) is None:
            raise InputError(
                f'{given}: holds weights alone, training cannot resume from it; give an epoch_N.pth or iter_N.pth, or '
                'start a new run from the weights: --cfg-options load_from=FILE for a whole model, '
                'model.backbone.init_cfg.type=PretrainedBackbone model.backbone.init_cfg.checkpoint=FILE for a backbone'
            )
        return Found(given, [])
    latest = find_latest_checkpoint(folder)
    if latest.path is None and latest.skipped:
        raise InputError(
            f'{folder}: no complete checkpoint to resume from ({"; ".join(latest.skipped)}); give one with --resume '
            'FILE, or remove last_checkpoint and the damaged files to start again'
        )
    return latest


def choose_after_restart(folder: str | os.PathLike, record: LaunchRecord) -> Found:
    """Choose the checkpoint of a run that torchrun restarted: its own latest, or else the one it first resumed from.

    Args:
        folder: The work folder, perhaps with checkpoints of earlier runs.
        record: The starts so far.

    Returns:
        The checkpoint; without one the run starts from the beginning.

    Raises:
        InputError: The run saved nothing, and the checkpoint that it resumed from is gone.
    """
    latest = find_latest_checkpoint(folder, record.runs)
    if latest.path is not None or record.resumed is None:
        return latest
    return Found(choose_resumed(record.resumed, folder).path, latest.skipped)


def agree_on_checkpoint(runner) -> None:
    """Let every process resume from the file that the first one chose, even where the others cannot see its folder."""
    choice = [(runner._resume, runner._load_from)]
    broadcast_object_list(choice)
    runner._resume, runner._load_from = choice[0]


def _warn_of_checkpoints(folder: str | os.PathLike) -> None:
    names = sorted(path.name for pattern in ('epoch_*.pth', 'iter_*.pth') for path in Path(folder).glob(pattern))
    if names:
        shown = f'{", ".join(names[:3])}{", ..." if len(names) > 3 else ""}'
        print_log(
            f'{folder} has checkpoints of an earlier run ({shown}): this run starts again and replaces those of '
            'the same name; add --resume to continue from them, or choose another --work-dir to keep them',
            'current',
            WARNING,
        )


def find_latest_checkpoint(folder: str | os.PathLike, runs: Collection[str] | None = None) -> Found:
    """Find the checkpoint that ``last_checkpoint`` names, or else the complete one with the most iterations.

    The best checkpoints of a validation are not considered: they have no optimizer.

    Args:
        folder: The work folder.
        runs: Consider only checkpoints of these runs (MMEngine's ``experiment_name``); None takes all.

    Raises:
        InputError: A file asks for code to run. Such a file is never skipped silently.
    """
    named, skipped = pointed_to(folder), []
    if named is not None:
        if not os.path.isfile(named):
            skipped.append(f'last_checkpoint names {named}, which is missing')
        else:
            try:
                checkpoint = verify_checkpoint(named)
                if iteration_of(checkpoint) is None:
                    skipped.append(f'last_checkpoint names {named}, from which training cannot resume')
                elif _belongs_to(checkpoint, runs):
                    return Found(named, [])
                else:
                    skipped.append(f'last_checkpoint names {named}, which belongs to an earlier run')
            except DamagedCheckpoint:
                skipped.append(f'{named} is damaged')
    folders = {os.path.abspath(folder): Path(folder)}
    if named and os.path.dirname(named):  # checkpoints may lie in a separate out_dir
        folders.setdefault(os.path.abspath(os.path.dirname(named)), Path(named).parent)
    files = [path for each in folders.values() for path in sorted(each.glob('*.pth')) if path.is_file()]
    checked = named and os.path.abspath(named)
    candidates = []
    for path in files:
        if not path.name.startswith(('best_', '.')) and os.path.abspath(path) != checked:
            try:
                checkpoint = read_checkpoint(path, mmap=True)
            except DamagedCheckpoint:
                skipped.append(f'{path} is damaged')
                continue
            iteration = iteration_of(checkpoint)
            if iteration is not None and _belongs_to(checkpoint, runs):
                candidates.append((iteration, path.stat().st_mtime, path))
    for _, _, path in sorted(candidates, reverse=True):
        try:
            verify_checkpoint(path)
            return Found(str(path), skipped)
        except DamagedCheckpoint:
            skipped.append(f'{path} is damaged')
    return Found(None, skipped)


def pointed_to(folder: str | os.PathLike) -> str | None:
    """Read ``last_checkpoint``, the file in which MMEngine names the newest checkpoint of a work folder.

    A file of that name in the folder itself takes precedence, since work folders are moved and copied.

    Returns:
        The checkpoint that it names, which may be missing; None if the file is missing or empty.
    """
    try:
        lines = Path(folder, 'last_checkpoint').read_text(encoding='utf-8', errors='replace').splitlines()
    except OSError:
        return None
    named = lines[0].strip() if lines else ''
    here = os.path.join(folder, os.path.basename(named))
    return here if named and os.path.isfile(here) else named or None


def iteration_of(checkpoint: object) -> int | None:
    """Return the iteration of a checkpoint; None if training cannot resume from it, for example from weights alone."""
    if not isinstance(checkpoint, dict) or not {'meta', 'state_dict', 'message_hub'} <= checkpoint.keys():
        return None
    meta = checkpoint['meta']
    number = meta.get('iter') if isinstance(meta, dict) else None
    return number if isinstance(number, int) else None


def _belongs_to(checkpoint: dict, runs: Collection[str] | None) -> bool:
    return runs is None or checkpoint['meta'].get('experiment_name') in runs


def torchrun_name() -> str | None:
    """Return a name for the torchrun that started this process, unchanged by its restarts; None without torchrun.

    The run id alone is not enough, since several launches may share it. Each launch has a new folder of error files.
    """
    file = os.environ.get('TORCHELASTIC_ERROR_FILE')
    if not file:
        return None
    return f'{socket.gethostname()} {os.environ.get("TORCHELASTIC_RUN_ID", "")} {Path(file).parents[2]}'


def read_record(folder: str | os.PathLike) -> LaunchRecord | None:
    """Read the record of this torchrun in a work folder; None if this is its first start there."""
    try:
        stored = json.loads(Path(folder, _RECORD).read_text(encoding='utf-8'))
        record = LaunchRecord(list(stored['launchers']), list(stored['runs']), stored['resumed'])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    name = torchrun_name()
    return record if name is not None and name in record.launchers else None


def note_start(runner) -> None:
    """Record a start by torchrun in the work folder, before the first checkpoint. All processes have to call it.

    Raises:
        InputError: The folder cannot be written.
    """
    launchers = sorted({name for name in all_gather_object(torchrun_name()) if name})
    if not launchers or not is_main_process():
        return
    resumed = os.path.abspath(runner._load_from) if runner._resume and runner._load_from else None
    before = read_record(runner.work_dir) or LaunchRecord([], [], resumed)
    record = LaunchRecord(launchers, [*before.runs, runner.experiment_name], before.resumed)
    with writable(runner.work_dir, 'free space'):
        write_text(Path(runner.work_dir, _RECORD), json.dumps(record._asdict()))
