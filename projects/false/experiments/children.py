"""Run a command as a child process, forked from an interpreter with everything imported where that is safe."""

import contextlib
import gc
import os
import runpy
import shlex
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path

from projects.false.common.parent_death import die_with_parent

_preloaded = False


def import_heavy_modules() -> None:
    """Import what every training imports. Statements, unlike names in strings, break visibly if a module moves."""
    import matplotlib.pyplot  # noqa: F401
    import mmpretrain.models  # noqa: F401
    import mmseg.models  # noqa: F401
    import torch._dynamo  # noqa: F401  PyTorch imports it with the first optimizer step

    import projects.false.datasets.land_cover
    import projects.false.engine
    import projects.false.models  # noqa: F401


def preload() -> bool:
    """Import once what every training imports, so that later Python children are forked within milliseconds.

    Nothing is imported where forking is unsafe: with a GPU, whose driver does not survive a fork, with threads, or on
    systems other than Linux. There, children start as programs that do their own imports.

    Returns:
        True if children will be forked.
    """
    global _preloaded
    import torch

    if not sys.platform.startswith('linux') or torch.cuda.is_available() or threading.active_count() > 1:
        return False
    import_heavy_modules()
    import cv2

    cv2.setNumThreads(1)  # a forked child that changes the number would wait forever for threads that it does not have
    gc.collect()
    gc.freeze()  # MMEngine collects garbage for every data set, which would copy all of this into every child
    _preloaded = True
    return True


class Child:
    """A command that runs as a child process.

    Attributes:
        status: Exit status; negative if a signal ended the command, None while it runs.
        cpu_seconds: User and system time of the command and its own children after its end; None where unknown.
    """

    def __init__(self, command: Sequence[str], log: Path, environment: Mapping[str, str]) -> None:
        """Start a command.

        Args:
            command: Program and arguments.
            log: File to append output and errors to.
            environment: Variables to set in the child; ``OMP_NUM_THREADS`` takes effect even after a fork.
        """
        self.status: int | None = None
        self.cpu_seconds: float | None = None
        self._process: subprocess.Popen | None = None
        with log.open('ab') as file:
            shown = ' '.join([*(f'{name}={value}' for name, value in environment.items()), shlex.join(command)])
            file.write(f'$ {shown}\n'.encode())
            file.flush()
            if _preloaded and command[0] == sys.executable and command[1:] and command[1].endswith('.py'):
                self.pid = _fork(command, file.fileno(), environment)
                return
            parent = os.getpid()
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                env={**os.environ, 'PYTHONUNBUFFERED': '1', **environment},
                preexec_fn=(lambda: die_with_parent(parent)) if sys.platform.startswith('linux') else None,
            )
            self.pid = self._process.pid

    def poll(self) -> int | None:
        """Return the exit status, or None while the command runs."""
        if self.status is not None:
            return self.status
        if self._process is not None and not hasattr(os, 'wait4'):  # Windows
            self.status = self._process.poll()
            return self.status
        ended, status, usage = os.wait4(self.pid, os.WNOHANG)
        if ended:
            self.status, self.cpu_seconds = os.waitstatus_to_exitcode(status), usage.ru_utime + usage.ru_stime
            if self._process is not None:
                self._process.returncode = self.status
        return self.status

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """Send a signal that ends the command; do nothing if it has already ended."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, how)


def _fork(command: Sequence[str], log: int, environment: Mapping[str, str]) -> int:
    sys.stdout.flush()
    sys.stderr.flush()
    parent = os.getpid()
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        die_with_parent(parent)
        _take_over(log, environment)
        sys.argv = list(command[1:])
        runpy.run_path(command[1], run_name='__main__')
        status = 0
    except SystemExit as ending:
        status = ending.code if isinstance(ending.code, int) else int(ending.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status)


def _take_over(log: int, environment: Mapping[str, str]) -> None:
    """Make the forked interpreter behave like one that was started for the command."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    sys.stdout = open(1, 'w', buffering=1, closefd=False, errors='replace')  # noqa: SIM115
    sys.stderr = open(2, 'w', buffering=1, closefd=False, errors='replace')  # noqa: SIM115
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.environ.update(environment)
    threads = environment.get('OMP_NUM_THREADS')
    if threads:
        import torch

        torch.set_num_threads(int(threads))
