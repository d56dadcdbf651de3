"""Failures of mapping end in one line, within seconds, and leave no file that looks complete."""

import json
import os
import resource
import signal
import subprocess
import sys
import time

import cv2
import numpy as np
import pytest
import rasterio

from projects.false.common.errors import InputError
from projects.false.mapping.map_rasters import map_rasters
from projects.false.mapping.options import MapOptions
from tests.helpers.colour_threshold import ColourThreshold, expected_classes
from tests.helpers.rasters import checkerboard
from tests.helpers.tools import REPOSITORY

MAPS = """
import sys, time
from projects.false.common.errors import InputError
from projects.false.mapping.options import MapOptions
from projects.false.mapping.map_rasters import map_rasters
from tests.helpers.colour_threshold import ColourThreshold

class Slow(ColourThreshold):
    def __call__(self, pixels):
        time.sleep({pause})
        return super().__call__(pixels)

try:
    for mapped in map_rasters(Slow(), [{source!r}], {out!r}, MapOptions(confidence=True, preview=True, areas=True)):
        print(mapped.path)
except InputError as error:
    sys.exit(f'error: {{error}}')
"""


def finished(folder):
    """List the files that look like results."""
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith('.')) if folder.is_dir() else []


def map_all(source, out, **options):
    return list(map_rasters(ColourThreshold(), [source], out, MapOptions(**options)))


def in_a_process(source, out, pause=0, **options):
    code = MAPS.format(source=str(source), out=str(out), pause=pause)
    return subprocess.Popen(
        [sys.executable, '-c', code],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


@pytest.mark.parametrize('compress', ['deflate', 'lzw', 'jpeg'])
def test_a_corrupt_block_is_named(make_raster, tmp_path, compress):
    pixels = np.random.default_rng(0).integers(0, 256, (3, 300, 400), dtype=np.uint8)
    more = {'photometric': 'ycbcr', 'interleave': 'pixel'} if compress == 'jpeg' else {'interleave': 'pixel'}
    source = make_raster(pixels, compress=compress, tiled=True, blockxsize=64, blockysize=64, **more)
    with rasterio.open(source) as raster:
        offset = int(raster.get_tag_item('BLOCK_OFFSET_2_3', 'TIFF', bidx=1))
        size = int(raster.get_tag_item('BLOCK_SIZE_2_3', 'TIFF', bidx=1))
    with open(source, 'r+b') as file:
        file.seek(offset)
        file.write(b'\xff\xd9' + bytes(size - 2))
    started = time.monotonic()
    with pytest.raises(InputError, match=rf'scene.tif: cannot be read at row 192, column 128, byte {offset} of the'):
        map_all(source, tmp_path / 'out', confidence=True, threads=3)
    assert time.monotonic() - started < 5
    assert finished(tmp_path / 'out') == []
    assert [path.name for path in (tmp_path / 'out').iterdir()] == ['.lock']


def test_a_file_that_is_cut_off(make_raster, tmp_path):
    source = make_raster(checkerboard(300, 400), tiled=True, blockxsize=64, blockysize=64)
    os.truncate(source, source.stat().st_size * 2 // 3)
    with pytest.raises(InputError, match=r'scene\.tif: cannot be read'):
        map_all(source, tmp_path / 'out')
    assert finished(tmp_path / 'out') == []


def test_the_old_map_stays_when_the_new_one_fails(make_raster, tmp_path):
    source = make_raster(checkerboard(300, 400), compress='deflate', blockysize=16)
    (mapped,) = map_all(source, tmp_path / 'out')
    before = mapped.path.read_bytes()
    with open(source, 'r+b') as file:
        file.seek(source.stat().st_size // 2)
        file.write(bytes(5000))
    with pytest.raises(InputError, match='cannot be read at row'):
        map_all(source, tmp_path / 'out', overwrite=True)
    assert mapped.path.read_bytes() == before


@pytest.mark.parametrize('share', [0.02, 0.5, 0.97])
def test_a_full_disk(make_raster, tmp_path, share):
    pixels = np.random.default_rng(0).integers(0, 256, (3, 1000, 1000), dtype=np.uint8)
    source = make_raster(pixels)
    (whole,) = map_all(source, tmp_path / 'whole')
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(whole.path.stat().st_size * share), before[1]))
    try:
        started = time.monotonic()
        with pytest.raises(InputError, match=r'out/scene_c\w+.tif: (writing failed.*make room|does not read back)'):
            map_all(source, tmp_path / 'out', confidence=True, areas=True, preview=True)
        assert time.monotonic() - started < 10
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert [path.name for path in (tmp_path / 'out').iterdir()] == ['.lock']


class Failing(ColourThreshold):
    """Fails after some windows, as a process that is killed."""

    def __init__(self, windows):
        super().__init__()
        self.left = windows

    def __call__(self, pixels):
        self.left -= len(pixels)
        if self.left < 0:
            raise RuntimeError
        return super().__call__(pixels)


def test_finished_bands_are_not_mapped_again(make_raster, tmp_path):
    source, out, options = make_raster(checkerboard(70, 331)), tmp_path / 'out', MapOptions(band=100, confidence=True)
    windows = 4 * 20
    (whole,) = map_rasters(ColourThreshold(), [source], tmp_path / 'whole', options)
    with pytest.raises(RuntimeError):
        list(map_rasters(Failing(windows // 3), [source], out, options))
    assert finished(out) == []
    (bands,) = (path for path in out.iterdir() if path.is_dir())
    assert [path.name for path in sorted(bands.glob('*.json'))] == ['0.json']
    done, _ = json.loads((bands / '0.json').read_text())
    rest = ColourThreshold()
    (mapped,) = map_rasters(rest, [source], out, options)
    assert sum(rest.batches) == windows - done
    assert mapped.windows == whole.windows == windows
    assert mapped.path.read_bytes() == whole.path.read_bytes()
    assert not bands.exists()


def test_bands_for_another_map_are_removed(make_raster, tmp_path):
    source, out = make_raster(checkerboard(70, 331)), tmp_path / 'out'
    with pytest.raises(RuntimeError):
        list(map_rasters(Failing(50), [source], out, MapOptions(band=100)))
    assert len([path for path in out.iterdir() if path.is_dir()]) == 1
    model = ColourThreshold()
    (mapped,) = map_rasters(model, [source], out, MapOptions(band=100, blend='uniform'))
    assert sum(model.batches) == mapped.windows
    assert not [path for path in out.iterdir() if path.is_dir()]


def test_a_full_disk_between_bands(make_raster, tmp_path):
    source = make_raster(checkerboard(200, 331))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, before[1]))
    try:
        with pytest.raises(InputError, match=r'scene_classes.tif: writing failed at band 0 .*make room'):
            map_all(source, tmp_path / 'out', band=100)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert finished(tmp_path / 'out') == []


@pytest.mark.slow
def test_a_killed_run_starts_again(make_raster, tmp_path):
    pixels, out = checkerboard(700, 600), tmp_path / 'out'
    source = make_raster(pixels)
    process = in_a_process(source, out, pause=0.05)
    deadline = time.monotonic() + 60
    while not (out.is_dir() and any(path.name.endswith('.tmp') for path in out.iterdir())):
        assert time.monotonic() < deadline
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert finished(out) == []
    (mapped,) = map_all(source, out, areas=True)
    with rasterio.open(mapped.path) as raster:
        assert (raster.read(1) == expected_classes(pixels[0])).all()
    assert not [path for path in out.iterdir() if path.name.endswith('.tmp')]


def test_a_finished_map_is_not_made_again(make_raster, tmp_path):
    source, out = make_raster(checkerboard(70, 60)), tmp_path / 'out'
    assert map_all(source, out)[0].counts is not None
    assert map_all(source, out)[0].counts is None
    assert map_all(source, out, batch_size=1, threads=1)[0].counts is None
    assert map_all(source, out, areas=True)[0].counts is not None
    assert map_all(source, out, areas=True)[0].counts is None
    with pytest.raises(
        InputError, match=r'scene_classes\.tif: exists and was made from another image, model or window'
    ):
        map_all(source, out, window=16)
    assert map_all(source, out, window=16, overwrite=True)[0].counts is not None
    os.utime(source, (1, 1))
    with pytest.raises(InputError, match='--overwrite'):
        map_all(source, out, window=16)


def test_the_output_cannot_be_written(make_raster, tmp_path):
    source = make_raster(checkerboard(40, 40))
    (tmp_path / 'file').write_text('')
    with pytest.raises(InputError, match=r'file: cannot be made .* choose another --out'):
        map_all(source, tmp_path / 'file')
    with pytest.raises(InputError, match=r'(cannot be made|cannot be written)'):
        map_all(source, '/proc/maps_of_land')  # a file system that refuses every user


def test_an_output_inside_the_input_folder_is_refused(make_raster, tmp_path):
    make_raster(checkerboard(40, 40), 'scenes/a.tif')
    with pytest.raises(InputError, match='overlaps the input'):
        map_all(tmp_path / 'scenes', tmp_path / 'scenes' / 'maps')


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'window': 0}, 'window is 0 pixels'),
        ({'overlap': 1.0}, 'overlap is 1.0'),
        ({'overlap': -0.1}, 'overlap is -0.1'),
        ({'blend': 'hard'}, "blend is 'hard'; give one of smooth, uniform"),
        ({'batch_size': 0}, 'batch size is 0'),
        ({'threads': 0}, 'workers is 0'),
        ({'value_range': (5, 5)}, '--range 5 5'),
    ],
)
def test_options_out_of_range(make_raster, tmp_path, options, message):
    source = make_raster(checkerboard(40, 40))
    with pytest.raises(InputError, match=message):
        map_all(source, tmp_path / 'out', **options)


def test_unusable_inputs(tmp_path):
    (tmp_path / 'empty').mkdir()
    (tmp_path / 'cut.jpg').write_bytes(cv2.imencode('.jpg', checkerboard(90, 90)[0])[1].tobytes()[:-300])
    (tmp_path / 'notes.txt').write_text('x')
    for name, message in {
        'empty': 'no image in it',
        'cut.jpg': 'cut off',
        'notes.txt': 'is none of GeoTIFF',
        'absent.tif': 'no such file',
    }.items():
        with pytest.raises(InputError, match=f'{name}: .*{message}'):
            map_all(tmp_path / name, tmp_path / 'out')


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('<VRTDataset', 'cannot be read as a VRT'),
        ('<VRTDataset subClass="VRTWarpedDataset"></VRTDataset>', 'not a plain mosaic'),
        ('<VRTDataset><SourceFilename>/vsicurl/http://x/a.tif</SourceFilename></VRTDataset>', 'not an image file here'),
        ('<VRTDataset><SourceFilename>WMS:http://x/a.tif</SourceFilename></VRTDataset>', 'not an image file here'),
        (
            '<VRTDataset><SourceFilename relativeToVRT="1">gone.tif</SourceFilename></VRTDataset>',
            'not an image file here',
        ),
        ('<VRTDataset><SourceFilename relativeToVRT="1">a.vrt</SourceFilename></VRTDataset>', 'contains itself'),
    ],
)
def test_virtual_rasters_are_made_of_image_files_only(tmp_path, text, message):
    (tmp_path / 'a.vrt').write_text(text)
    with pytest.raises(InputError, match=f'a.vrt: .*{message}'):
        map_all(tmp_path / 'a.vrt', tmp_path / 'out')
