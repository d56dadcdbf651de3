"""Names of patches: those in a folder, and those in a list."""

import os
from pathlib import Path

from projects.false.errors import InputError
from projects.false.imagery.images import IMAGE_SUFFIXES


def list_folder(folder: Path) -> tuple[list[str], dict[str, int]]:
    """Images of a folder and all below it, in the order of the data sets.

    Returns:
        Names relative to the folder, and the time of the last change (ns) of it and of every folder below.
    """
    names, times = [], {}
    for parent, _, files in os.walk(folder):
        inside = os.path.relpath(parent, folder).replace(os.sep, '/')
        times[inside] = os.stat(parent).st_mtime_ns
        found = [name for name in files if os.path.splitext(name)[1].lower() in IMAGE_SUFFIXES]
        names += found if inside == '.' else [f'{inside}/{name}' for name in found]
    return sorted(names, key=lambda name: name.split('/')), times


def read_names(path: Path) -> list[str]:
    """Read a list of patches, one name a line.

    Raises:
        InputError: The list is missing or empty.
    """
    if not path.is_file():
        raise InputError(f'{path}: no such list of patches; make it with the converter, or set ann_file')
    names = [line.strip() for line in path.read_text().splitlines() if line.strip()]
    if not names:
        raise InputError(f'{path}: the list is empty; make the data again or choose another list')
    return names
