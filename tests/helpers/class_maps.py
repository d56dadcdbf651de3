"""Class maps as tools/infer.py writes them, with classes that are known."""

import numpy as np
from rasterio.transform import Affine

from projects.false.imagery.palettes import Palette
from projects.false.mapping.class_map_file import class_tags, map_file

PLACE = {'crs': 'EPSG:32633', 'transform': Affine(2, 0, 500_000, 0, -2, 4_600_000)}
PALETTE = Palette('made', ('water', 'field', 'Wald, dicht'), ((0, 0, 200), (230, 210, 90), (30, 120, 40)))


def write_map(path, classes, place=PLACE, palette=PALETTE):
    """Write classes, (H, W), uint8, 255 for nodata, and return the path."""
    with map_file(path, *classes.shape, place, class_tags(palette), palette) as file:
        file.write(classes)
        file.seal()
    return path


def made_classes(height, width, seed=0, side=16):
    """Squares of classes of very different frequency, with a border of nodata at the left: (H, W), uint8."""
    generator = np.random.default_rng(seed)
    squares = generator.choice(3, (-(-height // side), -(-width // side)), p=[0.05, 0.65, 0.3]).astype(np.uint8)
    found = squares.repeat(side, axis=0).repeat(side, axis=1)[:height, :width].copy()
    found[:, :7] = 255
    return found
