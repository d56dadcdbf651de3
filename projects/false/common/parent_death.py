"""End a process when its parent dies, so that training does not outlive the torchrun that started it.

torchrun puts each training process into a process group of its own. A signal to torchrun's group, from a batch system
or ``kill -9 -PID``, therefore does not reach them, and they would keep training and writing unwatched.
"""

import ctypes
import os
import signal
import sys
from pathlib import Path

_PR_SET_PDEATHSIG = 1


def end_with_launcher() -> None:
    """Ask Linux to kill this process when the torchrun that started it ends.

    Does nothing on other systems or in processes that torchrun did not start. The signal is SIGKILL, because a process
    whose peers are gone may hang in a collective. It does no harm to files, which are written whole or not at all.

    A process calls this before it imports PyTorch, so this module imports nothing heavy.
    """
    if 'TORCHELASTIC_RUN_ID' not in os.environ or not _ask_linux():
        return
    if os.getppid() == 1 and not _first_is_torchrun():  # torchrun ended before Linux was asked
        os._exit(1)


def die_with_parent(parent: int) -> None:
    """Ask Linux to kill this process when the process that forked it ends; does nothing on other systems.

    Args:
        parent: Process id of the parent, read in the parent before the fork.
    """
    if _ask_linux() and os.getppid() != parent:  # the parent ended before Linux was asked
        os._exit(1)


def _ask_linux() -> bool:
    """Ask for SIGKILL at the parent's death; return whether the system agreed."""
    if not sys.platform.startswith('linux'):
        return False
    try:
        status: int = ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    except (OSError, AttributeError):
        return False
    return status == 0


def _first_is_torchrun() -> bool:
    """Return whether process 1 is torchrun itself, as in a container; then a parent with id 1 is alive."""
    try:
        return b'torch' in Path('/proc/1/cmdline').read_bytes()
    except OSError:
        return True
