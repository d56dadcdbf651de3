"""Which checkpoint of a work folder a run goes on from: the last complete one, whatever happened to the folder."""

import os
from pathlib import Path
from typing import NamedTuple

from mmengine.dist import broadcast_object_list

from projects.false.engine.checkpoints import DamagedCheckpoint, read_checkpoint, verify_checkpoint
from projects.false.errors import InputError


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


def find_latest_checkpoint(folder: str | os.PathLike) -> Found:
    """Find the checkpoint that ``last_checkpoint`` names, or else the complete one with the most iterations.

    The best checkpoints of a validation are left aside: they have no optimizer.

    Args:
        folder: The work folder.

    Raises:
        InputError: A file asks for code to run; that is never passed over in silence.
    """
    named, skipped = pointed_to(folder), []
    if named is not None:
        if not os.path.isfile(named):
            skipped.append(f'last_checkpoint names {named}, which is missing')
        else:
            try:
                if iteration_of(verify_checkpoint(named)) is not None:
                    return Found(named, [])
                skipped.append(f'last_checkpoint names {named}, which training cannot go on from')
            except DamagedCheckpoint:
                skipped.append(f'{named} is damaged')
    places = {Path(folder).absolute(): Path(folder)}
    if named and os.path.dirname(named):  # checkpoints may lie in an out_dir of their own
        places.setdefault(Path(named).parent.absolute(), Path(named).parent)
    files = [path for place in places.values() for path in sorted(place.glob('*.pth')) if path.is_file()]
    candidates = []
    for path in files:
        if not path.name.startswith(('best_', '.')) and str(path) != named:
            try:
                iteration = iteration_of(read_checkpoint(path, mmap=True))
            except DamagedCheckpoint:
                skipped.append(f'{path} is damaged')
                continue
            if iteration is not None:
                candidates.append((iteration, path.stat().st_mtime, path))
    for _, _, path in sorted(candidates, reverse=True):
        try:
            verify_checkpoint(path)
            return Found(str(path), skipped)
        except DamagedCheckpoint:
            skipped.append(f'{path} is damaged')
    return Found(None, skipped)


def choose_resumed(given: str, folder: str | os.PathLike, restarts: int = 0) -> Found:
    """Decide what a run goes on from.

    Args:
        given: ``'auto'``, for the work folder's latest checkpoint, or a file.
        folder: The work folder.
        restarts: How often torchrun started these processes anew. After a restart a later checkpoint of the work
            folder goes before a given file, which the first start went on from.

    Returns:
        The checkpoint; without one the run begins.

    Raises:
        InputError: The file does not exist, or the work folder has checkpoints and all are damaged.
    """
    if given != 'auto':
        if not os.path.isfile(given):
            raise InputError(f'{given}: no such checkpoint to resume from')
        latest = find_latest_checkpoint(folder) if restarts else Found(None, [])
        later = latest.path is not None and _iteration(latest.path) > _iteration(given)
        return latest if later else Found(given, latest.skipped)
    latest = find_latest_checkpoint(folder)
    if latest.path is None and latest.skipped:
        raise InputError(
            f'{folder}: no complete checkpoint to go on from ({"; ".join(latest.skipped)}); give one with --resume '
            'FILE, or remove last_checkpoint and the damaged files to begin anew'
        )
    return latest


def _iteration(path: str) -> int:
    return iteration_of(read_checkpoint(path, mmap=True)) or 0


def agree_on_checkpoint(runner) -> None:
    """Let every process go on from the file that the first one chose, also where the others do not see its folder."""
    choice = [(runner._resume, runner._load_from)]
    broadcast_object_list(choice)
    runner._resume, runner._load_from = choice[0]
