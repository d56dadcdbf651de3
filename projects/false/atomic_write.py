"""Files that are whole or not there: what was there before stays until the new content is complete and on the disk."""

import os
import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

_TEMPORARY = re.compile(r'\..+\.[0-9a-f]{8}\.tmp')


@contextmanager
def atomic_path(path: str | os.PathLike, verify: Callable[[Path], object] | None = None) -> Iterator[Path]:
    """The same as :func:`atomic_write` for a library that opens its file by name.

    Args:
        path: The file to write; folders are made as needed.
        verify: Called with the temporary file before it takes its name; whatever it raises keeps the old file.

    Yields:
        A temporary name beside ``path``; the file must be there, and closed, at the end of the block.

    Raises:
        OSError: The file system refuses. No part of a file is left.
    """
    path = Path(path)
    temporary = path.with_name(f'.{path.name}.{secrets.token_hex(4)}.tmp')
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        with open(temporary, 'r+b') as file:
            os.fsync(file.fileno())
        if verify is not None:
            verify(temporary)
        os.replace(temporary, path)
        _sync_folder(path.parent)
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


@contextmanager
def atomic_write(path: str | os.PathLike, verify: Callable[[Path], object] | None = None) -> Iterator[BinaryIO]:
    """Open a file that takes its name only once it is complete, on the disk and verified.

    Args:
        path: The file to write; folders are made as needed.
        verify: Called with the temporary file before it takes its name; whatever it raises keeps the old file.

    Raises:
        OSError: The file system refuses. No part of a file is left.

    Example:
        >>> with atomic_write('scores.json') as file:
        ...     written = file.write(b'{}')
    """
    with atomic_path(path, verify) as temporary, open(temporary, 'xb') as file:
        yield file


def write_text(path: str | os.PathLike, text: str) -> None:
    """Write a text file (UTF-8) whole or not at all.

    Raises:
        OSError: The file system refuses.
    """
    with atomic_write(path) as file:
        file.write(text.encode())


def remove_stale(folder: str | os.PathLike) -> list[Path]:
    """Remove what :func:`atomic_write` leaves in a folder when its process is killed.

    Only for a folder that nobody else writes to at the moment.

    Returns:
        The removed files.
    """
    removed = []
    with suppress(OSError):
        for path in sorted(Path(folder).iterdir()):
            if _TEMPORARY.fullmatch(path.name) and path.is_file():
                path.unlink()
                removed.append(path)
    return removed


def _sync_folder(folder: Path) -> None:
    """Let a new name in a folder survive a power cut; Windows cannot open folders."""
    if os.name == 'posix':
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
