"""python -m benchmarks.inference, small: the sides agree, tables and goals."""

import sys

import numpy as np
import pytest
import rasterio

from benchmarks import inference as benchmark
from benchmarks.inference import main
from benchmarks.mapping import measuring
from benchmarks.mapping.made_scene import write_scene
from benchmarks.mapping.measuring import Cell
from benchmarks.mapping.report import Setting, goals, memory_lines, needed_windows
from benchmarks.mapping.sides import MIXED, OURS, REMOTE, SIDES, SLIDE, WHOLE
from tests.helpers.fine_tuned import save_fine_tuned

pytestmark = pytest.mark.skipif(not sys.platform.startswith('linux'), reason='reads memory from /proc')


@pytest.fixture(scope='module')
def files(tmp_path_factory):
    return tuple(map(str, save_fine_tuned(tmp_path_factory.mktemp('fine_tuned'))))


def test_a_made_scene_is_mirrored(tmp_path):
    write_scene(tmp_path / 'scene.tif', 130, drawn=100)
    with rasterio.open(tmp_path / 'scene.tif') as raster:
        pixels = raster.read()
    assert pixels.shape == (3, 130, 130)
    assert (pixels[:, 100:] == pixels[:, 70:100][:, ::-1]).all()
    assert (pixels[:, :, 100:] == pixels[:, :, 70:100][:, :, ::-1]).all()
    assert pixels.std() > 20


@pytest.mark.slow
def test_every_side_maps_the_same_image(files, tmp_path):
    source = tmp_path / 'scene.tif'
    write_scene(source, 160)
    maps, cells = {}, {}
    for side in (*SIDES, WHOLE):
        out = tmp_path / f'{len(maps)}.tif'
        cells[side] = measuring.measure(Cell(side, str(source), str(out), 64, 0.5), files, 'cpu', 1)
        with rasterio.open(out) as raster:
            maps[side] = raster.read(1)
    assert cells[OURS]['windows'] == cells[MIXED]['windows'] == cells[SLIDE]['windows'] == needed_windows(160, 64, 0.5)
    assert cells[REMOTE]['windows'] > cells[OURS]['windows']
    assert cells[WHOLE]['windows'] == 1
    assert (maps[OURS] == maps[SLIDE]).mean() > 0.9995
    assert (maps[MIXED] == maps[SLIDE]).mean() > 0.95
    assert (maps[REMOTE] == maps[SLIDE]).mean() > 0.5  # it cuts where the others blend
    assert len(np.unique(maps[SLIDE])) > 1


@pytest.mark.parametrize('computed', [True, False])
def test_bfloat16_is_measured_where_the_processor_computes_it(monkeypatch, computed):
    monkeypatch.setattr(benchmark, 'cpu_has_bfloat16', lambda: computed)
    assert (MIXED in benchmark.usable_sides('cpu')) == computed
    assert benchmark.usable_sides('cuda') == list(SIDES)


def cell(cpu, windows=961, model=0.9):
    return {'cpu': cpu, 'wall': cpu, 'model wall': cpu * model, 'windows': windows, 'peak': 1 << 20}


def test_goals_are_met_or_missed():
    setting = Setting(4096, 0.5)
    found = {(setting, OURS): cell(10), (setting, SLIDE): cell(31), (setting, REMOTE): cell(15)}
    lines = goals(found, {(setting, OURS): 0.9995}, 256)
    assert [line[:6] for line in lines] == ['met   '] * 4 + ['      ']
    assert '3.1x' in lines[2]
    found[setting, OURS] = cell(11, windows=962, model=0.7)
    assert [line[:6] for line in goals(found, {(setting, OURS): 0.9989}, 256)] == ['MISSED'] * 4 + ['      ']
    assert goals({}, {}, 256) == []


def test_flat_memory():
    peaks = {2000: {'peak': 100}, 20000: {'peak': 110}}
    assert memory_lines(peaks)[0].startswith('met    peak memory: 1.10 times the memory for 100 times the pixels')
    peaks[20000]['peak'] = 111
    assert memory_lines(peaks)[0].startswith('MISSED')


@pytest.mark.slow
def test_tables(files, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(benchmark, 'in_a_process', measuring.measure)
    monkeypatch.setattr(benchmark, 'SEAMS', [('smooth', 0.5)])
    sizes = ['--sizes', '100', '--overlaps', '0.5', '--seam-size', '90', '--memory-sizes', '100']
    main([*files, *sizes, '--window', '64', '--sides', OURS, SLIDE])
    text = capsys.readouterr().out
    assert '100²' in text
    assert 'seams, 90 pixels square' in text
    assert 'memory, windows of 64' in text
    assert 'met    windows more than needed: 0, goal none' in text
