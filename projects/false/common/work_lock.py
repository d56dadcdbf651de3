"""Lock a work folder, so that only one run at a time writes to it."""

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
# Python prints the warnings of a logger without handlers to stderr. They would not reach MMEngine's logger, which is
# not a parent of this one and does not exist yet when a run locks its folder.
_log = logging.getLogger(__name__)
_held: dict[tuple[int, str], BinaryIO] = {}  # by process and folder: a process forked from the holder holds nothing


def lock_work_dir(folder: str | os.PathLike[str], patience: float = 5.0, *, option: str = '--work-dir') -> None:
    """Lock a work folder for this process until :func:`unlock_work_dir` or the end of the process.

    The lock is a POSIX record lock on ``WORK_DIR/.lock``. The kernel frees it however the process ends, and forked data
    loader workers do not hold it. Locking a folder twice is the same as once. If the file system has no locks, the run
    goes on with a warning; on Windows nothing is locked.

    Args:
        folder: The work folder, made if it is missing.
        patience: Seconds to wait for another run that is just ending.
        option: The option of the tool that names the folder, for messages.

    Raises:
        InputError: Another process holds the lock, or the folder cannot be written.
    """
    key = (os.getpid(), os.path.realpath(folder))
    if key in _held or sys.platform == 'win32':
        return
    make_work_dir(folder, option)
    with writable(folder, f'choose another {option}'):
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
                    raise InputError(_whose(folder, file, option)) from error
            time.sleep(0.1)
    file.truncate(0)
    file.write(f'{os.getpid()} {socket.gethostname()}\n'.encode())
    file.flush()
    _held[key] = file


def unlock_work_dir(folder: str | os.PathLike[str]) -> None:
    """Free the lock of :func:`lock_work_dir`; nothing happens if this process does not hold it."""
    file = _held.pop((os.getpid(), os.path.realpath(folder)), None)
    if file is not None:
        file.truncate(0)
        file.close()


@contextmanager
def work_dir_locked(
    folder: str | os.PathLike[str], patience: float = 5.0, *, option: str = '--work-dir'
) -> Iterator[None]:
    """Lock a work folder inside the block; see :func:`lock_work_dir`."""
    lock_work_dir(folder, patience, option=option)
    try:
        yield
    finally:
        unlock_work_dir(folder)


def make_work_dir(folder: str | os.PathLike[str], option: str = '--work-dir') -> None:
    """Make a work folder if it is missing.

    Raises:
        InputError: It cannot be made.
    """
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f'{folder}: cannot be made ({error.strerror}); choose another {option}') from error


def _whose(folder: str | os.PathLike[str], file: BinaryIO, option: str) -> str:
    """Return the message that names the process in a lock file."""
    number, _, host = file.read().decode(errors='replace').strip().partition(' ')
    holder, way = ('another process', 'end it')
    if number.isdigit():
        holder, way = f'process {number} on {host}', f'end it (kill {number})'
    return f'{folder} is being written by {holder}; {way} or choose another {option}'
