"""The converters by their command lines: bad input is one line, and nothing half made is left."""

import errno
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from projects.false.converters.potsdam import TEST_TILES, TRAIN_TILES
from projects.false.imagery.mask_colors import index_to_colors
from projects.false.imagery.palettes import PALETTES
from tests.helpers.converter_inputs import blocks, jpeg, png, potsdam_label, tiff, write_files, write_zip
from tests.helpers.tools import REPOSITORY, main_of

TILES = TRAIN_TILES + TEST_TILES


def call(tool, folder, *options):
    main = main_of(f'dataset_converters/{tool}')
    return main([str(folder / 'in'), str(folder / 'out'), *map(str, options)])


def noise(side=24, bands=3, dtype='uint8'):
    return np.random.default_rng(0).integers(0, 200, (side, side, bands)).astype(dtype)


def potsdam(folder, side=24):
    """Two zips with all tiles."""
    label, image = tiff(potsdam_label(blocks('potsdam', side, 0, 4))), tiff(noise(side))
    images = {f'2_Ortho_RGB/top_potsdam_{tile}_RGB.tif': image for tile in TILES}
    write_zip(folder / 'in/2_Ortho_RGB.zip', images)
    write_zip(folder / 'in/5_Labels_all.zip', {f'top_potsdam_{tile}_label.tif': label for tile in TILES})
    return images


def dglc(folder):
    for number in range(3):
        colors = index_to_colors(blocks('dglc', 24, number, 4), PALETTES['dglc'])
        files = {f'in/train/{number}_sat.jpg': jpeg(colors), f'in/train/{number}_mask.png': png(colors)}
        write_files(folder, files)


def xiangtan(folder):
    for number in range(3):
        masks = {f'in/masks/{number}.png': png(blocks('xiangtan', 24, number, 4))}
        write_files(folder, {f'in/images/{number}.tif': tiff(noise()), **masks})


def flair(folder):
    for number in range(3):
        zone = f'in/D00{number}_2020/Z1_UU'
        files = {f'{zone}/img/IMG_00000{number}.tif': tiff(noise(bands=5))}
        write_files(folder, {**files, f'{zone}/msk/MSK_00000{number}.tif': tiff(blocks('flair', 24, number, 4) + 1)})


def rasters(folder):
    write_files(folder, {'in/a.tif': tiff(noise()), 'in/b.png': png(noise())})


def without_tiles(folder):
    images = potsdam(folder)
    left = {name: data for name, data in images.items() if not re.search(r'_(2_10|7_13)_', name)}
    write_zip(folder / 'in/2_Ortho_RGB.zip', left)


def put(path, data, make=None):
    def spoil(folder):
        if make:
            make(folder)
        write_files(folder, {path: data})

    return spoil


def nodata_block(folder):
    pixels = noise(dtype='float32')
    pixels[:] = np.nan
    write_files(folder, {'in/a.tif': tiff(pixels)})


def remove(path, make):
    def spoil(folder):
        make(folder)
        (folder / path).unlink()

    return spoil


def cut_off(path, make):
    def spoil(folder):
        make(folder)
        (folder / path).write_bytes((folder / path).read_bytes()[:-400])

    return spoil


POTSDAM_LABEL = 'in/top_potsdam_2_10_label.tif'  # unpacked beside its zip, so that it is taken instead of the member
BAD = {
    'no such source': ('potsdam', lambda d: None, [], r'in: no such folder or zip'),
    'no tiles': ('potsdam', rasters, [], r'no tile has both .*2_Ortho_RGB\.zip and 5_Labels_all\.zip'),
    'other bands': ('potsdam', potsdam, ['--bands', 'irrg'], r'0 images top_potsdam_\*_IRRG\.tif.*3_Ortho_IRRG\.zip'),
    'zip with missing tiles': (
        *('potsdam', without_tiles, []),
        r'2 of 38 tiles are missing: 2_10 \(image\), 7_13 \(image\); download .* --exclude 2_10 7_13',
    ),
    'zip cut off': (
        'potsdam',
        cut_off('in/2_Ortho_RGB.zip', potsdam),
        [],
        r'2_Ortho_RGB\.zip: cannot be read as a zip',
    ),
    'no such tile': ('potsdam', potsdam, ['--exclude', '9_9'], r'--exclude 9_9: no such tile; the tiles are 2_10'),
    'test tile to validate': ('potsdam', potsdam, ['--val-tiles', '2_13'], r'--val-tiles 2_13: no such tile'),
    'label without a class': (
        *('potsdam', put(POTSDAM_LABEL, tiff(noise() * 0 + np.uint8([255, 0, 255])), potsdam), []),
        r'top_potsdam_2_10_label\.tif: #FF00FF \(576 pixels\) not in palette',
    ),
    'label of another size': (
        *('potsdam', put(POTSDAM_LABEL, tiff(potsdam_label(blocks('potsdam', 25))), potsdam), []),
        r'label\.tif: mask of 25 x 25 pixels .* its image .*2_Ortho_RGB\.zip/2_Ortho_RGB/.*RGB\.tif has 24 x 24',
    ),
    'no labels in DGLC': ('dglc', rasters, [], r'in: no ID_mask\.png in it'),
    'DGLC mask missing': (
        *('dglc', remove('in/train/1_mask.png', dglc), []),
        r'1 file\(s\) missing: 1_mask\.png; .* --exclude 1$',
    ),
    'DGLC image missing': ('dglc', remove('in/train/1_sat.jpg', dglc), [], r'missing: 1_sat\.jpg'),
    'DGLC image cut off': ('dglc', cut_off('in/train/1_sat.jpg', dglc), [], r'1_sat\.jpg: file is cut off'),
    'DGLC mask empty': ('dglc', put('in/train/1_mask.png', b'', dglc), [], r'1_mask\.png: file is empty \(0 bytes\)'),
    'DGLC other ID': ('dglc', dglc, ['--exclude', '77'], r'--exclude 77: no such image; give an ID such as 0'),
    'Xiangtan folders': ('xiangtan', xiangtan, ['--mask-folder', 'gt'], r"no folder 'gt' .*--mask-folder"),
    'Xiangtan pair missing': (
        *('xiangtan', remove('in/masks/2.png', xiangtan), []),
        r'no mask in masks for 1 of 3 images: 2; .* --exclude 2$',
    ),
    'label out of range': (
        *('xiangtan', put('in/masks/2.png', png(np.full((24, 24), 9, np.uint8)), xiangtan), []),
        r'2\.png: values \[9\] are neither classes \(0 to 8\)',
    ),
    'number of classes': ('xiangtan', xiangtan, ['--classes', 'a', 'b'], r'2 classes but 9 colors'),
    'number of bands': ('xiangtan', xiangtan, ['--bands', '4'], r'has 3 band\(s\), 4 are needed'),
    '16 bit where 8 is expected': (
        *('xiangtan', put('in/images/1.tif', tiff(noise(dtype='uint16')), xiangtan), []),
        r'1\.tif: pixels are uint16, 8 bit \(uint8\) is needed; scale them',
    ),
    'FLAIR mask missing': (
        'flair',
        remove('in/D001_2020/Z1_UU/msk/MSK_000001.tif', flair),
        [],
        r'missing: MSK_000001\.tif',
    ),
    'FLAIR zone': (
        'flair',
        flair,
        ['--val-zones', 'D9'],
        r'--val-zones D9: no such zone or domain; there are D000_2020_',
    ),
    'FLAIR blocks': ('flair', flair, ['--shrink', '5'], r'24 x 24 pixels do not split into blocks of --shrink 5'),
    'raster empty': ('rasters', put('in/c.tif', b'', rasters), [], r'c\.tif: file is empty'),
    'raster cut off': (
        *('rasters', cut_off('in/a.tif', put('in/a.tif', tiff(noise(64), compress='none'))), []),
        r'a\.tif: cannot be read as a raster \(.*; it is damaged',
    ),
    'raster is none': ('rasters', put('in/c.tif', b'no image', rasters), [], r'c\.tif: cannot be read as a raster'),
    'wrong extension': ('rasters', put('in/c.png', tiff(noise())), [], r'c\.png: is a TIFF by its content'),
    'one band': ('rasters', put('in/c.tif', tiff(noise(bands=1))), [], r'c\.tif: has 1 band\(s\), .* all: --bands 1$'),
    'four bands': ('rasters', put('in/c.tif', tiff(noise(bands=4))), [], r'--bands 1 2 3, or all: --bands 1 2 3 4'),
    'no such band': ('rasters', rasters, ['--bands', '1', '2', '5'], r'a\.tif: has no band 5'),
    'a band twice': ('rasters', rasters, ['--bands', '1', '1', '2'], r'--bands 1 1 2: give every band once'),
    '8 and 16 bit': (
        *('rasters', put('in/c.tif', tiff(noise(dtype='uint16')), rasters), []),
        r'1 of \d images have other pixels than .*a\.tif \(uint8\): .*c\.tif \(uint16\); convert each type',
    ),
    'floating point': ('rasters', put('in/c.tif', tiff(noise(dtype='float32'))), [], r'are float32, .*--range LOW'),
    'nothing but NaN': ('rasters', nodata_block, ['--range', '0', '1'], r'each of the 4 windows has more nodata'),
    'a single value': (
        *('rasters', put('in/c.tif', tiff(noise(dtype='uint16') * 0 + np.uint16(7))), []),
        r'c\.tif: 2 to 98 % of band 1 are the single value 7',
    ),
    'range': ('rasters', rasters, ['--range', '5', '5'], r'--range 5 5: give two finite numbers'),
    'stretch': ('rasters', rasters, ['--stretch', '2', '101'], r'--stretch 2 101: give two percentages'),
    'nodata share': ('rasters', rasters, ['--max-nodata', '10'], r'max nodata is 10\.0; give a share from 0 to 1'),
    'too small': (
        *('rasters', put('in/c.tif', tiff(noise(15)), rasters), []),
        r'1 of 3 images are smaller than the patch size 16: .*c\.tif \(15 x 15\); .* at most 15, .*--skip-small',
    ),
}


@pytest.mark.parametrize('case', BAD)
def test_bad_input_is_one_line_and_leaves_nothing(tmp_path, case, capsys):
    tool, spoil, options, message = BAD[case]
    spoil(tmp_path)
    assert call(tool, tmp_path, '--patch-size', 16, '--workers', 1, *options) == 2
    output = capsys.readouterr()
    assert output.out == ''
    assert output.err.startswith('error: ')
    assert output.err.count('\n') == 1
    assert re.search(message, output.err.strip())
    assert list(tmp_path.glob('out*')) == []


@pytest.mark.parametrize(
    ('tool', 'make'),
    [('potsdam', potsdam), ('dglc', dglc), ('xiangtan', xiangtan), ('flair', flair), ('rasters', rasters)],
)
def test_the_same_call_again_is_done_before_and_another_is_refused(tmp_path, tool, make, capsys):
    make(tmp_path)
    assert call(tool, tmp_path, '--patch-size', 16) == 0
    assert re.search(r'wrote \d+ patches to ', capsys.readouterr().out)
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / 'out').rglob('*')}
    assert call(tool, tmp_path, '--patch-size', 16, '--workers', 1) == 0
    assert re.search(r'done before with the same arguments: \d+ patches in ', capsys.readouterr().out)
    assert call(tool, tmp_path, '--patch-size', 16, '--stride', 8) == 2
    assert re.search(r'made with stride 16, not 8; give another output folder, or --overwrite', capsys.readouterr().err)
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / 'out').rglob('*')} == times
    assert call(tool, tmp_path, '--patch-size', 16, '--stride', 8, '--overwrite') == 0


def test_incomplete_pairs_can_be_excluded_and_small_images_skipped(tmp_path, capsys):
    without_tiles(tmp_path)
    assert call('potsdam', tmp_path, '--patch-size', 24, '--exclude', '2_10', '7_13') == 0
    said = ' '.join(capsys.readouterr().out.split())
    assert 'wrote 36 patches' in said
    assert '36 of 36 tiles are not 6000 x 6000' in said
    folder = tmp_path / 'more'
    put('in/c.tif', tiff(noise(15)), rasters)(folder)
    assert call('rasters', folder, '--patch-size', 16, '--skip-small') == 0
    assert 'left out 1 images that are smaller than a patch' in capsys.readouterr().out


def test_the_note_without_test_zones(tmp_path, capsys):
    flair(tmp_path)
    assert call('flair', tmp_path, '--patch-size', 12, '--shrink', 2, '--val-zones', 'D001*') == 0
    assert 'no --test-zones; splits/test.txt, which the upernet recipes evaluate on, holds the val' in ' '.join(
        capsys.readouterr().out.split()
    )
    assert (tmp_path / 'out/splits/test.txt').read_text() == 'D001_2020_Z1_UU_000001_0_0\n'


def test_a_file_of_another_kind_is_refused_by_name(tmp_path, capsys):
    write_files(tmp_path, {'scene.ecw': b'ecw'})
    main = main_of('dataset_converters/rasters')
    assert main([str(tmp_path / 'scene.ecw'), str(tmp_path / 'out'), '--patch-size', '16']) == 2
    assert re.search(r'scene\.ecw: is none of GeoTIFF.*gdal_translate scene\.ecw scene\.tif', capsys.readouterr().err)


def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path, monkeypatch, capsys):
    rasters(tmp_path)
    written, real = [], Path.write_bytes

    def fill_up(path, data):
        if path.suffix == '.png' and 'images' in path.parts:
            written.append(path)
            if len(written) > 3:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        return real(path, data)

    monkeypatch.setattr(Path, 'write_bytes', fill_up)
    assert call('rasters', tmp_path, '--patch-size', 16) == 2
    assert re.fullmatch(
        r'error: .*out: writing failed \(.*No space left on device.*make room.*\n', capsys.readouterr().err
    )
    assert list(tmp_path.glob('out*')) == []


@pytest.mark.slow
def test_a_second_converter_on_one_output_is_refused_and_an_interrupted_one_leaves_nothing(tmp_path, capsys):
    """A real first process, stopped in the middle of its work."""
    rasters(tmp_path)
    code = (
        'import signal, sys, time\nfrom projects.false.converters import rasters\n'
        'signal.signal(signal.SIGINT, signal.default_int_handler)\n'  # ignored where tests run in the background
        'rasters.run_all = lambda *_: time.sleep(60)\n'
        'rasters.convert_rasters([sys.argv[1]], sys.argv[2], 16)'
    )
    command = [sys.executable, '-c', code, str(tmp_path / 'in'), str(tmp_path / 'out')]
    first = subprocess.Popen(command, cwd=REPOSITORY, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 120
        while not list(tmp_path.glob('out.partial-*/images')):
            assert first.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert call('rasters', tmp_path, '--patch-size', 16) == 2
        assert f'out: process {first.pid} is writing it at the moment; wait' in capsys.readouterr().err
        assert [path.name for path in tmp_path.glob('out*')] == [f'out.partial-{first.pid}']
        first.send_signal(signal.SIGINT)
        first.wait(60)
        assert list(tmp_path.glob('out*')) == []
    finally:
        first.kill()
        first.wait()
    assert call('rasters', tmp_path, '--patch-size', 16) == 0
