"""One run at a time writes to a work folder."""

import errno
import logging
import os
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from .errors import InputError
from .files import writable

if sys.platform != 'win32':
    import fcntl

_NAME = '.lock'
_TAKEN = (errno.EACCES, errno.EAGAIN)
# Python prints warnings of a logger without handlers to stderr. MMEngine's own logger is no parent of this one, and
# there is none yet when a run takes its folder.
_log = logging.getLogger(__name__)
_held: dict[tuple[int, str], BinaryIO] = {}  # by process and folder: what is forked from a holder holds nothing


def lock_work_dir(folder: str | os.PathLike[str], patience: float = 5.0) -> None:
    """Take a work folder for this process, until :func:`unlock_work_dir` or its end, whatever ends it.

    A POSIX record lock on ``WORK_DIR/.lock``: the kernel frees it when the process is killed, and data loader workers,
    which are forked, do not hold it on. To take it twice is to have it. Where the file system has no locks the run goes
    on with a line in the log.

    Args:
        folder: The work folder; made as needed.
        patience: Seconds to wait for a run that is just ending.

    Raises:
        InputError: Another process has it, or the folder cannot be written.
    """
    key = (os.getpid(), os.path.realpath(folder))
    if key in _held or sys.platform == 'win32':
        return
    make_work_dir(folder)
    with writable(folder, 'choose another --work-dir'):
        file = os.fdopen(os.open(Path(folder, _NAME), os.O_RDWR | os.O_CREAT, 0o644), 'r+b')
    deadline = time.monotonic() + patience
    while True:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except OSError as error:
            if error.errno not in _TAKEN:
                file.close()
                _log.warning('%s: no locks here (%s); let no second run write to it', folder, error.strerror)
                return
            if time.monotonic() > deadline:
                with file:
                    raise InputError(_whose(folder, file)) from error
            time.sleep(0.1)
    file.truncate(0)
    file.write(f'{os.getpid()} {socket.gethostname()}\n'.encode())
    file.flush()
    _held[key] = file


def unlock_work_dir(folder: str | os.PathLike[str]) -> None:
    """Give back what :func:`lock_work_dir` took; nothing happens if it is not held."""
    file = _held.pop((os.getpid(), os.path.realpath(folder)), None)
    if file is not None:
        file.truncate(0)
        file.close()


@contextmanager
def work_dir_locked(folder: str | os.PathLike[str], patience: float = 5.0) -> Iterator[None]:
    """Hold a work folder inside the block."""
    lock_work_dir(folder, patience)
    try:
        yield
    finally:
        unlock_work_dir(folder)


def make_work_dir(folder: str | os.PathLike[str]) -> None:
    """Make a work folder if it is not there.

    Raises:
        InputError: It cannot be made.
    """
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f'{folder}: cannot be made ({error.strerror}); choose another --work-dir') from error


def _whose(folder: str | os.PathLike[str], file: BinaryIO) -> str:
    number, _, host = file.read().decode(errors='replace').strip().partition(' ')
    holder, way = ('another process', 'end it')
    if number.isdigit():
        holder, way = f'process {number} on {host}', f'end it (kill {number})'
    return f'{folder} is being written by {holder}; {way} or choose another --work-dir'
