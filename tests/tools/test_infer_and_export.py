"""tools/infer.py and tools/export.py by their command lines."""

import subprocess
import sys

import pytest
import rasterio

from tests.helpers.fine_tuned import save_fine_tuned
from tests.helpers.processes import free_port, run_tool
from tests.helpers.rasters import (
    checkerboard,
    make_raster,  # noqa: F401
)
from tests.helpers.tools import REPOSITORY, main_of


@pytest.fixture(scope='module')
def fine_tuned(tmp_path_factory):
    return [str(path) for path in save_fine_tuned(tmp_path_factory.mktemp('fine_tuned'))]


@pytest.mark.slow
def test_command_line(fine_tuned, make_raster, tmp_path):  # noqa: F811
    source = make_raster(checkerboard(100, 150), 'scenes/scene.tif')
    arguments = [*fine_tuned, str(source.parent), '--out', 'maps']
    command = [
        sys.executable,
        str(REPOSITORY / 'tools' / 'infer.py'),
        *arguments,
        '--confidence',
        '--preview',
        '--areas',
    ]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    first, last = done.stdout.splitlines()[-2:]
    assert first == 'wrote maps/scene_classes.tif: 0.01 megapixels, 12 windows'
    assert last.startswith('0.0 megapixels in ')
    assert sorted(path.name for path in (tmp_path / 'maps').iterdir() if path.name != '.lock') == [
        'scene_areas.csv',
        'scene_classes.qml',
        'scene_classes.tif',
        'scene_classes.tif.aux.xml',
        'scene_confidence.tif',
        'scene_preview.png',
    ]
    launched = {'RANK': '0', 'WORLD_SIZE': '1', 'LOCAL_RANK': '0', 'MASTER_ADDR': 'localhost'}
    launched['MASTER_PORT'] = str(free_port())
    shared = [*arguments[:-1], 'shared', '--confidence', '--launcher', 'pytorch']
    team = run_tool('infer', *shared, cwd=tmp_path, **launched)  # as dist_infer.sh starts it
    assert [line for line in team.stdout.splitlines() if line.startswith('wrote')], team.stderr
    for name in ('scene_classes.tif', 'scene_confidence.tif'):
        with rasterio.open(tmp_path / 'maps' / name) as one, rasterio.open(tmp_path / 'shared' / name) as other:
            assert (one.read(1) == other.read(1)).all()
    again = run_tool('infer', *arguments, cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert again.stdout.splitlines()[-1] == 'up to date: maps/scene_classes.tif'


@pytest.mark.slow
def test_export_and_map_with_the_file(fine_tuned, make_raster, tmp_path, capsys):  # noqa: F811
    source, file = make_raster(checkerboard(100, 150)), str(tmp_path / 'model.onnx')
    assert main_of('export')([*fine_tuned, file, '--window', '32', '--images', str(source)]) == 0
    assert 'windows of 32 pixels; on 1 patches logits differ by' in capsys.readouterr().out
    assert main_of('infer')(['--onnx', file, str(source), '--out', str(tmp_path / 'maps')]) == 0
    assert 'scene_classes.tif: 0.01 megapixels, 54 windows' in capsys.readouterr().out
    with rasterio.open(tmp_path / 'maps' / 'scene_classes.tif') as raster:
        assert raster.shape == (100, 150)


def test_errors_are_one_line(fine_tuned, make_raster, tmp_path, capsys):  # noqa: F811
    infer, out = main_of('infer'), ['--out', str(tmp_path / 'maps')]
    source = str(make_raster(checkerboard(40, 40).astype('uint16')))
    for arguments, message in {
        (fine_tuned[0], fine_tuned[1]): 'give CONFIG CHECKPOINT INPUT..., MODEL INPUT..., or --onnx FILE INPUT...',
        (*fine_tuned, 'gone.tif'): 'gone.tif: no such file or folder; check the path',
        (*fine_tuned, source): 'pixels are uint16, the model takes 8 bit; give --range LOW HIGH',
        (*fine_tuned, source, '--data', str(tmp_path)): 'dataset.json: no such file',
        ('--onnx', 'gone.onnx', source): 'gone.onnx: no such file; make it with tools/export.py',
        ('--onnx', 'gone.onnx', source, '--precision', 'float16'): '--precision belongs to config and checkpoint',
        ('gone.py', fine_tuned[1], source): 'gone.py: no such config',
    }.items():
        assert infer([*arguments, *out]) == 2
        error = capsys.readouterr().err
        assert message in error
        assert [line for line in error.splitlines() if line.startswith('error: ')] == [error.splitlines()[-1]]


def test_sixteen_bit_with_the_ranges_of_a_data_set(fine_tuned, make_raster, tmp_path, capsys):  # noqa: F811
    pixels = checkerboard(140, 140).astype('uint16') * 30
    source = str(make_raster(pixels, 'sixteen/scene.tif'))
    from projects.false.converters.rasters import convert_rasters

    convert_rasters([source], tmp_path / 'data', 64, workers=1)
    arguments = [*fine_tuned, source, '--out', str(tmp_path / 'maps'), '--data', str(tmp_path / 'data')]
    assert main_of('infer')(arguments) == 0
    assert 'wrote' in capsys.readouterr().out
