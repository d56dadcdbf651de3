"""Which checkpoint of a work folder a run goes on from: the last complete one, whatever happened to the folder."""

import os
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

from mmengine.dist import broadcast_object_list

from projects.false.errors import InputError

from ..damaged_checkpoint import DamagedCheckpoint
from ..launch_record import LaunchRecord
from .files import read_checkpoint, verify_checkpoint


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
