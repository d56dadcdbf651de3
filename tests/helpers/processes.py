"""Processes of their own for tests, forked where that is safe: importing PyTorch anew would take most of the time."""

import os
import runpy
import signal
import socket
import subprocess
import sys
import tempfile
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import IO, NamedTuple

from tests.helpers.tools import REPOSITORY

SECONDS = 600  # guards against hanging


@cache
def can_fork() -> bool:
    """Not where a GPU is, whose driver does not survive a fork, and not outside Linux."""
    import torch

    return sys.platform.startswith('linux') and not torch.cuda.is_available()


def free_port() -> int:
    """Return a port of this machine at which processes can meet."""
    with socket.socket() as found:
        found.bind(('localhost', 0))
        return int(found.getsockname()[1])


def run_tool(name: str, *arguments, cwd: Path, **environment: str) -> subprocess.CompletedProcess:
    """Call ``tools/<name>.py`` as a program; return what ``subprocess.run`` returns, with output and errors as text."""
    return run_python(REPOSITORY / 'tools' / f'{name}.py', *arguments, cwd=cwd, **environment)


def run_python(*arguments, cwd: Path, **environment: str) -> subprocess.CompletedProcess:
    """Call Python with ``FILE ARGUMENT...`` or ``-m MODULE ARGUMENT...``; return what ``subprocess.run`` returns."""
    with tempfile.TemporaryFile('w+') as out, tempfile.TemporaryFile('w+') as err:
        status = start_python(*arguments, cwd=cwd, out=out, err=err, **environment).wait()
        out.seek(0)
        err.seek(0)
        return subprocess.CompletedProcess([*map(str, arguments)], status, out.read(), err.read())


def start_python(*arguments, cwd: Path, out: IO[str], err: IO[str], own: bool = False, **environment: str) -> 'Program':
    """Start what ``run_python`` calls; ``own`` gives it a process group, which ``os.killpg`` ends with its children."""
    command = [str(argument) for argument in arguments]
    if not can_fork():
        started = subprocess.Popen(
            [sys.executable, *command],
            cwd=cwd,
            env=os.environ | environment,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            start_new_session=own,
        )
        return Program(started.pid, lambda: started.wait(SECONDS))
    with _without_opencv_threads():
        pid = os.fork()
        if not pid:
            if own:
                os.setsid()
            _be_program(command, cwd, environment, out.fileno(), err.fileno())
    return Program(pid, lambda: os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))


class Program(NamedTuple):
    """A started program; ``wait`` returns its exit status, negative if a signal ended it."""

    pid: int
    wait: Callable[[], int]


def run_tool_on(count: int, name: str, *arguments, cwd: Path, **environment: str) -> subprocess.CompletedProcess:
    """Call ``run_tool`` in processes that find each other as torchrun's do, without its seconds of imports in each."""
    common = {'WORLD_SIZE': str(count), 'MASTER_ADDR': 'localhost', 'MASTER_PORT': str(free_port()), **environment}
    tool = REPOSITORY / 'tools' / f'{name}.py'
    with tempfile.TemporaryFile('w+') as out, tempfile.TemporaryFile('w+') as err:
        started = [
            start_python(
                tool,
                *arguments,
                '--launcher',
                'pytorch',
                cwd=cwd,
                out=out,
                err=err,
                RANK=rank,
                LOCAL_RANK=rank,
                **common,
            )
            for rank in map(str, range(count))
        ]
        status = max(abs(program.wait()) for program in started)
        out.seek(0)
        err.seek(0)
        return subprocess.CompletedProcess([str(tool), *map(str, arguments)], status, out.read(), err.read())


def run_processes(function: Callable, *arguments, count: int) -> None:
    """Call ``function(rank, *arguments)`` in ``count`` processes of one thread each; an exception in one is raised."""
    from torch import multiprocessing

    method = 'fork' if can_fork() else 'spawn'
    with _without_opencv_threads():
        multiprocessing.start_processes(_on_one_thread, (function, *arguments), nprocs=count, start_method=method)


@contextmanager
def _without_opencv_threads() -> Iterator[None]:
    """End OpenCV's threads before a fork: a forked process that changes their number would wait for them forever."""
    import cv2

    count = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(count)


def _on_one_thread(rank: int, function: Callable, *arguments) -> None:
    _use_one_thread()
    function(rank, *arguments)


def _use_one_thread() -> None:
    """The threads of a forked process's parent are not there, and OpenMP and OpenCV would wait for them."""
    import cv2
    import torch

    torch.set_num_threads(1)
    cv2.setNumThreads(1)


def _be_program(command: list[str], cwd: Path, environment: dict[str, str], out: int, err: int) -> None:
    """End this forked process as Python would end that runs the command."""
    status = 1
    try:
        signal.alarm(SECONDS)
        nothing = os.open(os.devnull, os.O_RDONLY)
        for source, target in ((nothing, 0), (out, 1), (err, 2)):
            os.dup2(source, target)
        sys.stdin = open(0, closefd=False)  # noqa: SIM115
        sys.stdout = sys.__stdout__ = open(1, 'w', closefd=False)  # noqa: SIM115
        sys.stderr = sys.__stderr__ = open(2, 'w', closefd=False, buffering=1)  # noqa: SIM115
        warnings.showwarning = _print_warning  # pytest collects warnings instead
        os.chdir(cwd)
        os.environ.update(environment)
        _use_one_thread()
        if command[0] == '-m':
            sys.argv = command[1:]
            runpy.run_module(command[1], run_name='__main__', alter_sys=True)
        else:
            sys.argv = command
            runpy.run_path(command[0], run_name='__main__')
        status = 0
    except SystemExit as ending:
        status = ending.code if isinstance(ending.code, int) else int(ending.code is not None)
        if isinstance(ending.code, str):
            print(ending.code, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _print_warning(message, category, filename, lineno, file=None, line=None) -> None:
    sys.stderr.write(warnings.formatwarning(message, category, filename, lineno, line))
