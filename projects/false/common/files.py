"""Write files and folders that are either complete or absent.

New content is written beside the old and takes its name only when all of it is on the disk.
"""

import errno
import os
import re
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from .errors import InputError

_TEMPORARY = re.compile(r'\..+\.[0-9a-f]{8}\.tmp(-journal|-wal|-shm)?')  # the endings are SQLite's


@contextmanager
def writable(place: str | os.PathLike[str], remedy: str) -> Iterator[None]:
    """Turn an OSError inside the block into an InputError with a reason and a remedy.

    Args:
        place: The file or folder that is written, for the message.
        remedy: What the user can do, such as ``'choose another --out'``.

    Raises:
        InputError: An OSError ended the block.

    Example:
        >>> with writable('scores.json', 'choose another --out'):
        ...     write_text('scores.json', '{}')
    """
    try:
        yield
    except OSError as error:
        reason = error.strerror or error
        raise InputError(f'{os.fspath(place)}: cannot be written ({reason}); {remedy}') from error


@contextmanager
def atomic_path(path: str | os.PathLike[str], verify: Callable[[Path], object] | None = None) -> Iterator[Path]:
    """Do the same as :func:`atomic_write` for a library that opens its file by name.

    Args:
        path: The file to write; missing folders are made.
        verify: Called with the temporary file before it takes its final name. An error that it raises keeps the old
            file.

    Yields:
        A temporary path beside ``path``; the block writes this file and closes it.

    Raises:
        OSError: The file system refuses to write, or the block wrote no file. The old file stays as it was.
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
def atomic_write(path: str | os.PathLike[str], verify: Callable[[Path], object] | None = None) -> Iterator[BinaryIO]:
    """Open a binary file that takes its name only when it is complete, on the disk and verified.

    Args:
        path: The file to write; missing folders are made.
        verify: Called with the temporary file before it takes its final name. An error that it raises keeps the old
            file.

    Raises:
        OSError: The file system refuses to write. The old file stays as it was.

    Example:
        >>> with atomic_write('scores.json') as file:
        ...     written = file.write(b'{}')
    """
    with atomic_path(path, verify) as temporary, open(temporary, 'xb') as file:
        yield file


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write a text file in UTF-8, whole or not at all.

    Raises:
        OSError: The file system refuses to write.
    """
    with atomic_write(path) as file:
        file.write(text.encode())


def readable(path: str | os.PathLike[str]) -> str:
    """Return a path for messages and texts, in which bytes that are not UTF-8 are numbers.

    Example:
        >>> print(readable(os.fsdecode(b'gr\\xfcn.tif')))
        gr\\xfcn.tif
    """
    return os.fsencode(path).decode(errors='backslashreplace')


def check_name(path: str | os.PathLike[str]) -> None:
    """Refuse a path that is not UTF-8, as an unpacked zip of another system may make: GDAL and JSON cannot take it.

    Raises:
        InputError: It is not.
    """
    shown = readable(path)
    if os.fsencode(path) != shown.encode():
        raise InputError(f'{shown}: its name is not UTF-8; rename it')


def remove_stale(folder: str | os.PathLike[str]) -> list[Path]:
    """Remove the temporary files that :func:`atomic_write` leaves in a folder when its process is killed.

    Call it only while no other process writes to the folder: its unfinished files look the same.

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
    """Make a new name in a folder survive a power cut; not on Windows, which cannot open folders."""
    if os.name == 'posix':
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextmanager
def staged_folder(out: str | Path, overwrite: bool = False, marker: str = 'dataset.json') -> Iterator[Path]:
    """Make a folder under a temporary name and rename it when it is complete.

    The temporary name is ``OUT.partial-<process id>``. An error or interrupt removes the folder; if the process is
    killed, the next run with the same ``out`` removes it. A second process with the same ``out`` is refused.

    Args:
        out: The folder to make, or a link to it. It may exist if it is empty.
        overwrite: Replace an existing folder, provided that it holds ``marker``.
        marker: Name of a file that shows that an existing folder is an earlier output.

    Yields:
        The folder to write into.

    Raises:
        InputError: ``out`` exists already, is being written by another process or cannot be written, or the disk is
            full.
    """
    out = Path(out).resolve()  # what a link points to is replaced, not the link
    _check_free(out, overwrite, marker)
    _remove_stale(out)
    partial = out.with_name(f'{out.name}.partial-{os.getpid()}')
    with writable(out, 'give another output folder'):
        partial.mkdir(parents=True)
    try:
        _check_alone(partial, out)
        yield partial
        _move_into_place(partial, out, overwrite, marker)
    except OSError as error:
        if error.errno is None:
            raise
        long = error.errno == errno.ENAMETOOLONG
        way_out = 'shorten the names of the files' if long else 'make room or give another output folder'
        raise InputError(f'{out}: writing failed ({error}); {way_out}') from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def check_apart(out: str | Path, *sources: str | Path) -> None:
    """Refuse an output folder that is an input, lies in one or contains one; a later run would read its own output.

    Args:
        out: The output folder.
        sources: Input files and folders.

    Raises:
        InputError: The output overlaps an input.
    """
    target = Path(out).resolve()
    for source in (Path(source).resolve() for source in sources):
        if target == source or target in source.parents or source in target.parents:
            raise InputError(f'{out}: overlaps the input {source}; give an output folder beside the inputs')


def check_outside(out: str | Path, *sources: str | Path | None) -> None:
    """Refuse an output folder that is an input or contains one; replacing the folder would delete the input.

    Args:
        out: The output folder.
        sources: Input files and folders; None stands for one that is not given.

    Raises:
        InputError: An input is the output or lies in it.
    """
    target = Path(out).resolve()
    for source in (Path(source).resolve() for source in sources if source is not None):
        if target == source or target in source.parents:
            raise InputError(f'{out}: holds the input {source}; give another output folder, or move the input')


def _check_free(out: Path, overwrite: bool, marker: str) -> None:
    if out.exists() and not out.is_dir():
        raise InputError(f'{out}: is a file; remove it or give another output folder')
    if out.is_mount():
        raise InputError(f'{out}: is a mount point, which no finished folder can replace; give a folder in it')
    if not out.is_dir() or not any(out.iterdir()):
        return
    if not overwrite:
        raise InputError(f'{out}: exists and is not empty; give another output folder, or --overwrite')
    if not (out / marker).is_file():
        raise InputError(f'{out}: has no {marker}, so it is not replaced; remove it or give another output folder')


def _remove_stale(out: Path) -> None:
    if not out.parent.is_dir():
        return
    for path in out.parent.iterdir():
        match = re.fullmatch(re.escape(out.name) + r'\.(partial|replaced)-(\d+)', path.name)
        if match is None or (_is_alive(int(match[2])) and int(match[2]) != os.getpid()):
            continue
        if match[1] == 'partial' or out.exists():  # without out, the replaced folder is the only copy
            shutil.rmtree(path, ignore_errors=True)


def _check_alone(partial: Path, out: Path, patience: float = 0.5) -> None:
    """Refuse to go on if another process has a partial folder for the same output.

    Of two processes that start at the same moment, the one with the lower process id continues: it waits until the
    other has given up and removed its folder.
    """
    own = os.getpid()
    for waited in (False, True):
        names = [re.fullmatch(re.escape(out.name) + r'\.partial-(\d+)', path.name) for path in out.parent.iterdir()]
        others = [int(name[1]) for name in names if name and int(name[1]) != own and _is_alive(int(name[1]))]
        if not others:
            return
        if waited or own > min(others):
            raise InputError(
                f'{out}: process {others[0]} is writing it at the moment; wait for it, give another output folder, or '
                f'remove {partial.with_name(f"{out.name}.partial-{others[0]}")} if that process is another program'
            )
        time.sleep(patience)


def _is_alive(process_id: int) -> bool:
    try:
        os.kill(process_id, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


def _move_into_place(partial: Path, out: Path, overwrite: bool, marker: str) -> None:
    _check_free(out, overwrite, marker)  # again: another process may have finished meanwhile
    if not out.exists():
        partial.rename(out)
        return
    replaced = out.with_name(f'{out.name}.replaced-{os.getpid()}')
    out.rename(replaced)
    try:
        partial.rename(out)
    except BaseException:
        replaced.rename(out)
        raise
    shutil.rmtree(replaced, ignore_errors=True)
