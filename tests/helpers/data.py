"""Converted patches, made by the project's own converter, and work folders that another process holds."""

import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.helpers.tools import REPOSITORY


def make_patches(folder: Path, palette_name: str, size: int, count: int = 8) -> Path:
    """Convert two made images with blocky masks into ``count`` patches; every class occurs in every split."""
    from projects.false.converters.color_masks import convert_color_masks
    from projects.false.converters.options import CutOptions
    from projects.false.imagery.palettes import load_palette

    palette = load_palette(palette_name)
    generator = np.random.default_rng(0)
    for part in ('train', 'test'):
        wide = size * (count // 2)
        blocks = generator.integers(0, len(palette.classes), (8, 8 * (count // 2)))
        blocks.ravel()[: len(palette.classes)] = range(len(palette.classes))
        index = cv2.resize(blocks.astype(np.uint8), (wide, size), interpolation=cv2.INTER_NEAREST)
        index[:2, :2] = 255 if palette.ignore_colors else index[:2, :2]
        colors = np.array([*palette.colors, *[(0, 0, 0)] * (256 - len(palette.colors))], np.uint8)
        if palette.ignore_colors:
            colors[255] = palette.ignore_colors[0]
        image = cv2.add(colors[index] // 2, generator.integers(0, 60, (size, wide, 3), dtype=np.uint8))
        mask = index if palette.index_masks else colors[index][..., ::-1]
        for kind, pixels in (('images', image[..., ::-1]), ('masks', mask)):
            (folder / 'source' / kind).mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(folder / 'source' / kind / f'{part}.png'), pixels)
    (folder / 'test.txt').write_text('test\n')
    source = folder / 'source'
    convert_color_masks(
        source / 'images',
        source / 'masks',
        folder / 'data',
        palette,
        CutOptions(size, label_fractions=(0.01, 0.5, 1.0), workers=1),
        test_list=folder / 'test.txt',
    )
    return folder / 'data'


@pytest.fixture(scope='session')
def patches(tmp_path_factory):
    """``patches(palette, size, count)``: a folder of patches as the converter leaves it, made once."""
    made = {}

    def get(palette: str, size: int, count: int = 8) -> Path:
        key = (palette, size, count)
        if key not in made:
            made[key] = make_patches(tmp_path_factory.mktemp(palette), *key)
        return made[key]

    return get


# Four images of made ground: their corners in metres. The third lies beside the first, the others far off.
GROUND = {'area_part_1': (0, 0), 'other': (500, 0), 'area_part_2': (128, 0), 'far': (900, 900)}
GROUND_SIDE, GROUND_PATCH = 128, 32


@pytest.fixture(scope='session')
def ground_patches(tmp_path_factory):
    """Georeferenced patches of made ground with labels, as the converter leaves them; ``other`` is for testing."""
    import rasterio

    from projects.false.converters.color_masks import convert_color_masks
    from projects.false.converters.options import CutOptions
    from projects.false.converters.scenes.scene import draw_scene
    from projects.false.imagery.mask_colors import index_to_colors
    from projects.false.imagery.palettes import PALETTES

    root, palette = tmp_path_factory.mktemp('ground'), PALETTES['synthetic']
    for number, (name, (x, y)) in enumerate(GROUND.items()):
        picture, labels = draw_scene(GROUND_SIDE, 5, number)
        for folder, pixels in (('images', picture), ('masks', index_to_colors(labels, palette))):
            (root / folder).mkdir(exist_ok=True)
            place = {'crs': 'EPSG:32633', 'transform': rasterio.Affine(1, 0, 400_000 + x, 0, -1, 5_000_000 + y)}
            shape = dict(height=GROUND_SIDE, width=GROUND_SIDE, count=3, dtype='uint8')
            with rasterio.open(root / folder / f'{name}.tif', 'w', driver='GTiff', **shape, **place) as file:
                file.write(np.moveaxis(pixels, -1, 0))
    (root / 'test.txt').write_text('other\n')
    options = CutOptions(GROUND_PATCH, label_fractions=(0.1,), workers=1)
    convert_color_masks(root / 'images', root / 'masks', root / 'data', palette, options, test_list=root / 'test.txt')
    return root / 'data'


HOLD = """
import sys
from projects.false.common.work_lock import lock_work_dir
lock_work_dir(sys.argv[1])
print('held', flush=True)
sys.stdin.read()
"""


@pytest.fixture
def holder(monkeypatch):
    """``with holder(folder) as process``: another process holds the lock of the folder."""
    monkeypatch.setattr('projects.false.common.work_lock.lock_work_dir.__defaults__', (0.2,))

    @contextmanager
    def hold(folder: Path):
        command = [sys.executable, '-c', HOLD, str(folder)]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY)
        try:
            assert process.stdout.readline() == 'held\n'
            yield process
        finally:
            process.kill()
            process.communicate()

    return hold
