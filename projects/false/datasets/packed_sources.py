"""The folders that packed patches were made from: what is in them, and whether that changed since."""

import hashlib
import os
from pathlib import Path

from .patch_names import list_folder


def source_facts(root: Path, folder: str, names: list[str], times: dict[str, int]) -> dict:
    """What packed.json keeps of a source folder.

    Args:
        root: Folder of the data set.
        folder: The source folder, relative to it.
        names, times: From :func:`list_folder`.
    """
    state = hashlib.sha256()
    for name in names:
        found = os.stat(root / folder / name)
        state.update(f'{name}\0{found.st_size}\0{found.st_mtime_ns}\n'.encode('utf-8', 'surrogateescape'))
    return {
        'folder': folder,
        'files': len(names),
        'names_sha256': names_digest(names),
        'state_sha256': state.hexdigest(),  # names, sizes and times of change
        'folders': times,
    }


def names_digest(names: list[str]) -> str:
    """SHA-256 of the names, in their order."""
    return hashlib.sha256('\n'.join(names).encode('utf-8', 'surrogateescape')).hexdigest()


def names_changed(root: Path, facts: dict) -> str | None:
    """Say what is different about the names in a source folder, or None.

    Looks at the folders' times first: that costs nothing, and a folder whose time stands has the same names. Only if a
    time differs, as in a copy, are the names listed. A source that is gone did not change: the packed form is enough.
    """
    folder = root / facts['folder']
    if not folder.is_dir():
        return None
    if all(_time(folder / inside) == time for inside, time in facts['folders'].items()):
        return None
    names, _ = list_folder(folder)
    if len(names) != facts['files']:
        return f'{folder} holds {len(names)} images, {facts["files"]} were packed'
    if names_digest(names) != facts['names_sha256']:
        return f'{folder} holds images of other names than were packed'
    return None


def _time(path: Path) -> int:
    try:
        return os.stat(path).st_mtime_ns
    except OSError:
        return -1
