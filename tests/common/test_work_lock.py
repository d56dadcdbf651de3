"""A work folder has one writer, whatever its processes do and however they end."""

import errno
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from projects.false.common.errors import InputError
from projects.false.common.work_lock import lock_work_dir, unlock_work_dir, work_dir_locked
from tests.helpers.tools import REPOSITORY

FORKING = """
import os, sys, time
from projects.false.common.work_lock import lock_work_dir
lock_work_dir(sys.argv[1])
child = os.fork()
if child == 0:
    time.sleep(100)
print(child, flush=True)
time.sleep(100)
"""


def test_second_run_is_told_who_has_it(tmp_path: Path, holder) -> None:
    folder = tmp_path / 'run'
    with holder(folder) as process:
        for _ in range(2):  # a failed try leaves the lock and its text
            with pytest.raises(InputError) as caught:
                lock_work_dir(folder)
            assert str(caught.value) == (
                f'{folder} is being written by process {process.pid} on {socket.gethostname()}; end it (kill '
                f'{process.pid}) or choose another --work-dir'
            )
    lock_work_dir(folder)  # the kernel freed it
    assert (folder / '.lock').read_text() == f'{os.getpid()} {socket.gethostname()}\n'
    unlock_work_dir(folder)


def test_what_is_held_is_held_once(tmp_path: Path, monkeypatch, holder) -> None:
    monkeypatch.chdir(tmp_path)
    with work_dir_locked('run'):
        lock_work_dir(tmp_path / 'run')
        assert Path('run', '.lock').read_text().startswith(f'{os.getpid()} ')
    assert Path('run', '.lock').read_text() == ''
    unlock_work_dir('run')
    with holder(tmp_path / 'run'):
        pass


def test_freed_by_an_error(tmp_path: Path, holder) -> None:
    with pytest.raises(ZeroDivisionError), work_dir_locked(tmp_path):
        raise ZeroDivisionError
    with holder(tmp_path):
        pass


def test_a_forked_child_that_is_left_over_does_not_hold_it(tmp_path: Path) -> None:
    """As a data loader worker whose main process was killed."""
    command = [sys.executable, '-c', FORKING, str(tmp_path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY)
    child = int(process.stdout.readline())
    try:
        process.kill()
        process.wait()
        os.kill(child, 0)
        lock_work_dir(tmp_path, patience=0)
        assert (tmp_path / '.lock').read_text().startswith(f'{os.getpid()} ')
    finally:
        os.kill(child, signal.SIGKILL)
        unlock_work_dir(tmp_path)


def test_waits_for_a_run_that_is_ending(tmp_path: Path, holder) -> None:
    with holder(tmp_path) as process:
        subprocess.Popen(['sh', '-c', f'sleep 0.5; kill -9 {process.pid}'])
        lock_work_dir(tmp_path, patience=20)
        assert (tmp_path / '.lock').read_text().startswith(f'{os.getpid()} ')
        assert process.wait(20) == -signal.SIGKILL
    unlock_work_dir(tmp_path)


def test_file_system_without_locks(tmp_path: Path, monkeypatch, caplog) -> None:
    def unsupported(*given) -> None:
        raise OSError(errno.ENOLCK, 'No locks available')

    monkeypatch.setattr('fcntl.lockf', unsupported)
    lock_work_dir(tmp_path)
    assert caplog.messages == [f'{tmp_path}: no locks here (No locks available); let no second run write to it']


UNLOCKABLE = """
import errno, fcntl, sys
def unsupported(*given):
    raise OSError(errno.ENOLCK, 'No locks available')
fcntl.lockf = unsupported
from projects.false.common.work_lock import lock_work_dir
assert 'mmengine' not in sys.modules and 'torch' not in sys.modules
lock_work_dir('before')
from mmengine.logging import MMLogger
MMLogger.get_instance('run', log_file='run.log')
lock_work_dir('after')
"""


def test_the_warning_reaches_the_user_with_and_without_a_logger_of_mmengine(tmp_path: Path) -> None:
    command = [sys.executable, '-c', UNLOCKABLE]
    environment = {**os.environ, 'PYTHONPATH': str(REPOSITORY)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    lines = [line for line in done.stderr.splitlines() if 'no locks here' in line]
    assert [line.partition(':')[0] for line in lines] == ['before', 'after']


def test_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / '.lock').mkdir()
    with pytest.raises(InputError, match=r'cannot be written .* choose another --work-dir'):
        lock_work_dir(tmp_path)
    (tmp_path / 'file').write_text('')
    with pytest.raises(InputError, match='cannot be made'):
        lock_work_dir(tmp_path / 'file' / 'run')
