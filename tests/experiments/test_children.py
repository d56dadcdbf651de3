"""Children as the steps start them."""

import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest

from projects.false.experiments.children import Child, import_heavy_modules
from tests.helpers.tools import REPOSITORY

FORKING = """
import os, sys, time
from pathlib import Path
from projects.false.experiments import children

children.import_heavy_modules = lambda: __import__('torch')
assert children.preload()
folder = Path(sys.argv[1])
started = []
for name in sys.argv[2:]:
    command = [sys.executable, str(folder / name), 'an argument']
    started.append(children.Child(command, folder / 'log', {'OMP_NUM_THREADS': '1', 'SLOT': name}))
    print(started[-1].pid, flush=True)
for child in started:
    while child.poll() is None:
        time.sleep(0.02)
print([child.status for child in started], all(child.cpu_seconds > 0 for child in started), flush=True)
"""


def scripts(folder, **texts):
    for name, text in texts.items():
        (folder / f'{name}.py').write_text(textwrap.dedent(text))


def forking(folder, *names, preloaded=True):
    text = FORKING if preloaded else FORKING.replace('assert children.preload()', '')
    command = [sys.executable, '-c', text, str(folder), *names]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY)


def test_forked_children_behave_like_programs(tmp_path):
    scripts(
        tmp_path,
        good="""
            import os, sys
            loaded = 'torch' in sys.modules
            import torch
            print(__name__, sys.argv[1:], loaded, torch.get_num_threads(), os.environ['SLOT'], sys.stdin.read() == '')
        """,
        text='import sys; sys.exit("it says why")',
        number='import sys; sys.exit(3)',
        error='1 / 0',
    )
    done = forking(tmp_path, 'good.py', 'text.py', 'number.py', 'error.py')
    out = done.communicate(timeout=600)[0]
    assert out.splitlines()[-1] == '[0, 1, 3, 1] True'
    log = (tmp_path / 'log').read_text()
    assert "__main__ ['an argument'] True 1 good.py True" in log
    assert 'ZeroDivisionError' in log
    assert f'$ OMP_NUM_THREADS=1 SLOT=good.py {sys.executable} {tmp_path}/good.py' in log


@pytest.mark.skipif(not sys.platform.startswith('linux'), reason='only Linux ends children with their parent')
@pytest.mark.parametrize('how', [signal.SIGKILL, signal.SIGTERM])
@pytest.mark.parametrize('preloaded', [True, False])
def test_children_die_with_their_parent(tmp_path, preloaded, how):
    scripts(tmp_path, sleeper='import time; time.sleep(60)')
    parent = forking(tmp_path, 'sleeper.py', preloaded=preloaded)
    pid = int(parent.stdout.readline())
    parent.send_signal(how)
    parent.wait()
    deadline = time.monotonic() + 10
    while os.path.exists(f'/proc/{pid}') and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not os.path.exists(f'/proc/{pid}')


def test_a_program_is_started_where_nothing_was_preloaded(tmp_path):
    child = Child([sys.executable, '-c', 'import sys; print("here"); sys.exit(4)'], tmp_path / 'log', {'A': '1'})
    while child.poll() is None:
        time.sleep(0.02)
    assert child.status == 4
    assert child.cpu_seconds > 0
    assert (tmp_path / 'log').read_text().splitlines()[-1] == 'here'


def test_stopped(tmp_path):
    child = Child([sys.executable, '-c', 'import time; time.sleep(60)'], tmp_path / 'log', {})
    child.stop()
    while child.poll() is None:
        time.sleep(0.02)
    assert child.status == -signal.SIGTERM


def test_every_heavy_module_exists():
    import_heavy_modules()
    assert {'mmseg.models', 'projects.false.engine', 'projects.false.models'} <= sys.modules.keys()
