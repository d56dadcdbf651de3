"""Maps by several real processes are the maps of one, byte for byte, also after the death of one of them."""

import os
import signal
import sys
import time

import pytest

from projects.false.mapping.bands.shares import Team, map_shared
from projects.false.mapping.map_rasters import map_rasters
from projects.false.mapping.options import MapOptions
from tests.helpers.colour_threshold import ColourThreshold
from tests.helpers.processes import free_port, run_processes
from tests.helpers.rasters import checkerboard
from tests.helpers.tools import REPOSITORY
from tests.tools.test_launch_scripts import shell

OPTIONS = MapOptions(band=100, overlap=0.6, batch_size=3, confidence=True)


@pytest.fixture
def scenes(make_raster, tmp_path):
    """A wide image and a small one, and the files of their maps by one process."""
    make_raster(checkerboard(70, 431), 'scenes/wide.tif')
    make_raster(checkerboard(40, 50), 'scenes/small.tif')
    model = ColourThreshold()
    list(map_rasters(model, [tmp_path / 'scenes'], tmp_path / 'alone', OPTIONS))
    return tmp_path / 'scenes', contents(tmp_path / 'alone'), sum(model.batches)


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file() and path.name != '.lock'}


class Dying(ColourThreshold):
    """In the second process the first window kills; the first process computes none before that one has a share."""

    def __init__(self, team):
        super().__init__()
        self.team = team

    def __call__(self, pixels):
        if not self.team.first:
            os.kill(os.getpid(), signal.SIGKILL)
        while self.team.count('taken', 0) < 2:
            time.sleep(0.01)
        return super().__call__(pixels)


def process(rank, count, port, scenes, out, dying=False):
    os.environ |= {'RANK': f'{rank}', 'WORLD_SIZE': f'{count}', 'LOCAL_RANK': f'{rank}'}
    os.environ |= {'MASTER_ADDR': 'localhost', 'MASTER_PORT': f'{port}'}
    team = Team.connect('pytorch')
    model = Dying(team) if dying else ColourThreshold()
    found = list(map_shared(team, model, [scenes], out, OPTIONS))
    (out.parent / f'{out.name}_{rank}').write_text(f'{sum(model.batches)} {len(found)}')


def numbers(out, count):
    """Windows of all processes, and maps that they completed."""
    texts = [(out.parent / f'{out.name}_{rank}').read_text().split() for rank in range(count)]
    return [sum(map(int, column)) for column in zip(*texts, strict=True)]


@pytest.mark.parametrize('count', [1, 3])
def test_the_maps_are_those_of_one_process(scenes, tmp_path, count):
    folder, expected, windows = scenes
    run_processes(process, count, free_port(), folder, tmp_path / 'out', count=count)
    assert contents(tmp_path / 'out') == expected
    assert numbers(tmp_path / 'out', count) == [windows, 2]


def test_the_share_of_a_killed_process_is_done_by_the_same_command(scenes, tmp_path):
    folder, expected, _ = scenes
    (folder / 'small.tif').unlink()
    out = tmp_path / 'out'
    with pytest.raises(Exception, match='SIGKILL'):
        run_processes(process, 2, free_port(), folder, out, True, count=2)
    assert not [name for name in contents(out) if not name.startswith('.')]
    run_processes(process, 2, free_port(), folder, out, count=2)
    assert contents(out) == {name: data for name, data in expected.items() if name.startswith('wide')}


TOOL = """
import os, signal, sys
from projects.false.mapping.bands.shares import Team, map_shared
from tests.helpers.colour_threshold import ColourThreshold
from tests.mapping.bands.test_shares import OPTIONS, Dying

team = Team.connect('pytorch')
model = Dying(team) if os.environ['TORCHELASTIC_RESTART_COUNT'] == '0' else ColourThreshold()
for mapped in map_shared(team, model, [sys.argv[1]], sys.argv[2], OPTIONS):
    print(mapped.path.name)
"""


@pytest.mark.slow
def test_torchrun_does_the_share_of_a_killed_process_again(scenes, tmp_path):
    folder, expected, _ = scenes
    (tmp_path / 'tool.py').write_text(TOOL)
    paths = {'PYTHONPATH': os.pathsep.join([str(REPOSITORY), *sys.path])}
    arguments = [tmp_path / 'tool.py', 2, folder, tmp_path / 'out']
    done = shell(tmp_path, REPOSITORY / 'tools' / 'launch' / 'dist.sh', *arguments, MAX_RESTARTS='1', **paths)
    assert done.returncode == 0, done.stderr[-3000:]
    assert set(done.stdout.split()) == {'small_classes.tif', 'wide_classes.tif'}
    assert contents(tmp_path / 'out') == expected
