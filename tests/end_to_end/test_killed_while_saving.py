"""SIGKILL at random moments of saving: a complete checkpoint is always found, and training goes on from it.

FALSE_KILLS sets the number of kills (20).
"""

import os
from pathlib import Path

import pytest

from tests.helpers.processes import run_python
from tests.helpers.tools import REPOSITORY


@pytest.mark.slow
def test_every_killed_run_goes_on(tmp_path: Path) -> None:
    kills = os.environ.get('FALSE_KILLS', '20')
    command = '-m', 'tests.end_to_end.killed_runs', tmp_path, kills
    done = run_python(*command, cwd=REPOSITORY, OMP_NUM_THREADS='1')
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    print(done.stdout)
    lines = done.stdout.splitlines()
    assert f'{kills} times a complete checkpoint was found and training went on from it' in lines[0]
    stages = [int(line.split()[0]) for line in lines if ' while ' in line]
    assert sum(stages) == int(kills)
    assert sum(number > 0 for number in stages) > 4  # the kills are spread over what saving does
