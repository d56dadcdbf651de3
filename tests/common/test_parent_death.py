"""A process that torchrun started ends with it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from projects.false.common import parent_death
from projects.false.common.parent_death import end_with_launcher
from tests.helpers.tools import REPOSITORY

WORKER = """
import sys, time
from projects.false.common.parent_death import end_with_launcher
end_with_launcher()
assert 'torch' not in sys.modules
print('ready', flush=True)
time.sleep(60)
"""
LAUNCHER = 'import subprocess, sys; subprocess.run([sys.executable, "-c", sys.argv[1]], start_new_session=True)'
pytestmark = pytest.mark.skipif(not sys.platform.startswith('linux'), reason='only Linux tells of a death')


@pytest.mark.parametrize('elastic', [True, False])
def test_worker_dies_with_its_launcher_and_no_other_process_does(elastic: bool) -> None:
    kept = {key: value for key, value in os.environ.items() if key != 'TORCHELASTIC_RUN_ID'}
    environment = kept | ({'TORCHELASTIC_RUN_ID': 'none'} if elastic else {})
    command = [sys.executable, '-c', LAUNCHER, WORKER]
    launcher = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment, cwd=REPOSITORY)
    assert launcher.stdout.readline() == 'ready\n'
    (worker,) = Path(f'/proc/{launcher.pid}/task/{launcher.pid}/children').read_text().split()
    launcher.kill()
    launcher.wait()
    deadline = time.monotonic() + (10 if elastic else 0.5)
    while alive(worker) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert alive(worker) is not elastic
    if not elastic:
        os.kill(int(worker), signal.SIGKILL)


def alive(pid: str) -> bool:
    try:
        return Path(f'/proc/{pid}/stat').read_text().rsplit(')', 1)[1].split()[0] != 'Z'
    except OSError:
        return False


class Ended(Exception):
    """Stands for the end of the process."""


@pytest.mark.parametrize(
    ('parent', 'first', 'ends'),
    [(1, b'/sbin/init', True), (1, b'python -m torch.distributed.run', False), (7, b'', False)],
)
def test_launcher_that_died_before(monkeypatch, parent: int, first: bytes, ends: bool) -> None:
    def end(status: int) -> None:
        raise Ended

    monkeypatch.setenv('TORCHELASTIC_RUN_ID', 'none')
    monkeypatch.setattr(parent_death.ctypes, 'CDLL', lambda name: parent_death)
    monkeypatch.setattr(parent_death, 'prctl', lambda *given: 0, raising=False)
    monkeypatch.setattr(os, 'getppid', lambda: parent)
    monkeypatch.setattr(os, '_exit', end)
    monkeypatch.setattr(Path, 'read_bytes', lambda path: first)
    if ends:
        with pytest.raises(Ended):
            end_with_launcher()
    else:
        end_with_launcher()
