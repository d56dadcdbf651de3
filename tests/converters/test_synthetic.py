import os
import subprocess
import sys

import numpy as np
import pytest
import rasterio

from projects.false.common.errors import InputError
from projects.false.converters.scenes import draw_scene
from projects.false.converters.synthetic import write_synthetic_tiles
from projects.false.imagery.mask_colors import colors_to_index
from projects.false.imagery.palettes import PALETTES
from tests.helpers.tools import REPOSITORY
from tools.dataset_converters.synthetic import main

SYNTHETIC = PALETTES['synthetic']


@pytest.fixture(scope='module')
def scenes():
    return [draw_scene(256, seed=0, number=number) for number in range(32)]


def test_a_scene_depends_on_seed_and_number_alone():
    picture, labels = draw_scene(128, seed=3, number=1)
    again = draw_scene(128, seed=3, number=1)
    np.testing.assert_array_equal(picture, again[0])
    np.testing.assert_array_equal(labels, again[1])
    assert (draw_scene(128, seed=3, number=2)[0] != picture).any()
    assert (draw_scene(128, seed=4, number=1)[0] != picture).any()


@pytest.mark.parametrize('size', [64, 100, 257])
def test_shapes_and_types(size):
    for number in range(4):
        picture, labels = draw_scene(size, seed=1, number=number)
        assert (picture.shape, picture.dtype) == ((size, size, 3), np.uint8)
        assert (labels.shape, labels.dtype) == ((size, size), np.uint8)
        assert labels.max() < len(SYNTHETIC.classes)


def test_every_class_has_its_share(scenes):
    pixels = np.bincount(np.concatenate([labels.ravel() for _, labels in scenes]), minlength=7)
    share = dict(zip(SYNTHETIC.classes, pixels / pixels.sum(), strict=True))
    assert share['car'] > 0.005
    assert min(value for name, value in share.items() if name != 'car') > 0.03
    assert max(share.values()) < 0.5


def test_pictures_are_neither_black_nor_burnt_out(scenes):
    for picture, _ in scenes:
        assert 45 < picture.mean() < 200
        assert (picture == 255).mean() < 0.05
        assert picture.std() > 15


def test_quarters_differ_in_what_they_show(scenes):
    dominant = set()
    for _, labels in scenes[:12]:
        for row in (0, 128):
            for column in (0, 128):
                counts = np.bincount(labels[row : row + 128, column : column + 128].ravel(), minlength=7)
                dominant.add(int(counts.argmax()))
    assert len(dominant) >= 4


def test_color_alone_does_not_tell_the_classes(scenes):
    """The best class for every quantised colour, learnt from all training pixels, stays far from any good map.

    Measured for seeds 0, 1 and 2 with 3 and 4 bits a channel: mIoU 0.31 to 0.37.
    """

    def code(picture):
        coarse = picture.astype(int) >> 4
        return (coarse[..., 0] * 16 + coarse[..., 1]) * 16 + coarse[..., 2]

    seen = np.zeros((16**3, 7))
    for picture, labels in scenes[:24]:
        seen += np.bincount((code(picture) * 7 + labels).ravel(), minlength=seen.size).reshape(seen.shape)
    best = (seen + 1e-3 * seen.sum(axis=0) / seen.sum()).argmax(axis=1)
    confusion = np.zeros((7, 7))
    for picture, labels in scenes[24:]:
        confusion += np.bincount((labels.astype(int) * 7 + best[code(picture)]).ravel(), minlength=49).reshape(7, 7)
    hits = np.diag(confusion)
    assert (hits / (confusion.sum(axis=0) + confusion.sum(axis=1) - hits)).mean() < 0.43


def test_tiles_are_georeferenced_side_by_side(tmp_path):
    assert write_synthetic_tiles(tmp_path / 'out', tiles=3, size=100, seed=5) == ['tile_000', 'tile_001', 'tile_002']
    bounds = []
    for number in range(3):
        picture, labels = draw_scene(100, 5, number)
        with rasterio.open(tmp_path / f'out/images/tile_{number:03d}.tif') as image:
            assert (image.count, image.dtypes[0], image.crs.to_epsg(), image.res) == (3, 'uint8', 32633, (0.5, 0.5))
            assert image.profile['tiled']
            assert image.compression.name == 'deflate'
            np.testing.assert_array_equal(np.moveaxis(image.read(), 0, -1), picture)
            bounds.append(image.bounds)
            transform = image.transform
        with rasterio.open(tmp_path / f'out/masks/tile_{number:03d}.tif') as mask:
            assert mask.transform == transform
            np.testing.assert_array_equal(colors_to_index(np.moveaxis(mask.read(), 0, -1), SYNTHETIC, 'm'), labels)
    assert (bounds[0].right, bounds[0].top) == (bounds[1].left, bounds[1].top)
    assert (bounds[0].left, bounds[0].bottom) == (bounds[2].left, bounds[2].top)


def test_a_tile_does_not_depend_on_how_many_there_are(tmp_path):
    write_synthetic_tiles(tmp_path / 'few', tiles=1, size=64)
    write_synthetic_tiles(tmp_path / 'many', tiles=4, size=64)
    first = [rasterio.open(tmp_path / name / 'images/tile_000.tif').read() for name in ('few', 'many')]
    np.testing.assert_array_equal(*first)


def test_command_line(tmp_path):
    command = [
        sys.executable,
        REPOSITORY / 'tools/dataset_converters/synthetic.py',
        'out',
        '--tiles',
        '5',
        '--size',
        '64',
    ]
    environment = {name: value for name, value in os.environ.items() if name != 'PYTHONPATH'}
    options = ['--val-tiles', '1', '--test-tiles', '2', '--seed', '9']
    run = subprocess.run(command + options, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert (run.returncode, run.stdout, run.stderr) == (0, 'wrote 5 tiles to out\n', '')
    assert (tmp_path / 'out/val.txt').read_text() == 'tile_002\n'
    assert (tmp_path / 'out/test.txt').read_text() == 'tile_003\ntile_004\n'
    assert len(list((tmp_path / 'out/images').iterdir())) == 5


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (['--tiles', '0'], 'tiles is 0'),
        (['--size', '63'], 'size is 63'),
        (['--seed', '-1'], 'seed is -1'),
        (['--val-tiles', '-1'], 'val tiles is -1'),
        (['--tiles', '2', '--val-tiles', '1', '--test-tiles', '1'], 'leave none for training'),
    ],
)
def test_bad_arguments(tmp_path, capsys, options, message):
    assert main([str(tmp_path / 'out'), *options]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert len(error.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_output_in_the_way(tmp_path):
    write_synthetic_tiles(tmp_path / 'out', tiles=1, size=64)
    with pytest.raises(InputError, match='exists and is not empty'):
        write_synthetic_tiles(tmp_path / 'out', tiles=1, size=64)
    write_synthetic_tiles(tmp_path / 'out', tiles=2, size=64, overwrite=True)
    assert len(list((tmp_path / 'out/masks').iterdir())) == 2
