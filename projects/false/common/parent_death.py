"""Training processes do not outlive the torchrun that started them.

torchrun puts them into sessions of their own, so that a signal to its process group, as a batch system's or
``kill -9 -PID``, passes them by: they would go on training, and writing, with nobody left to watch them.
"""

import ctypes
import os
import signal
import sys
from pathlib import Path

_PR_SET_PDEATHSIG = 1


def end_with_launcher() -> None:
    """Let Linux kill this process when the torchrun that started it is gone; elsewhere nothing happens.

    With SIGKILL, for a process may hang in a collective then; what it writes is whole or not there at any moment.
    Without heavy imports, so that it can be called first of all.
    """
    if 'TORCHELASTIC_RUN_ID' not in os.environ or not _ask_linux():
        return
    if os.getppid() == 1 and not _first_is_torchrun():  # it died before this process got here
        os._exit(1)


def die_with_parent(parent: int) -> None:
    """Let Linux kill this process when the one that forked it is gone; elsewhere nothing happens.

    Args:
        parent: Process id of the parent, as it knows it itself.
    """
    if _ask_linux() and os.getppid() != parent:  # it died before this process got here
        os._exit(1)


def _ask_linux() -> bool:
    if not sys.platform.startswith('linux'):
        return False
    try:
        return ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) == 0
    except (OSError, AttributeError):
        return False


def _first_is_torchrun() -> bool:
    """Whether torchrun is the first process of a container: then nobody died."""
    try:
        return b'torch' in Path('/proc/1/cmdline').read_bytes()
    except OSError:
        return True
