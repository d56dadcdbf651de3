"""Pairs of images and colour masks, and their conversion, for tests of converters."""

import dataclasses

import cv2
import numpy as np
import rasterio

from projects.false.converters.color_masks import convert_color_masks
from projects.false.converters.options import CutOptions
from projects.false.imagery.palettes import PALETTES

MBRSC = PALETTES['mbrsc']
CUT = {'patch_size': 32, 'workers': 1, 'label_fractions': (0.1, 0.5)}


def save(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == '.tif':
        bands = pixels[None] if pixels.ndim == 2 else np.moveaxis(pixels, -1, 0)
        shape = dict(zip(('count', 'height', 'width'), bands.shape, strict=True))
        place = {'crs': 'EPSG:32633', 'transform': rasterio.Affine(1, 0, 5e5, 0, -1, 5e6)}
        with rasterio.open(path, 'w', driver='GTiff', dtype=bands.dtype, **place, **shape) as raster:
            raster.write(bands)
    else:
        assert cv2.imwrite(str(path), pixels[..., ::-1] if pixels.ndim == 3 else pixels)


def picture(seed, height=70, width=50):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3)).astype(np.uint8)


def labels(seed, height=70, width=50):
    return np.random.default_rng(seed).choice([0, 1, 2, 3, 4, 255], (height, width)).astype(np.uint8)


def convert(folder, **options):
    names = {field.name for field in dataclasses.fields(CutOptions)} & set(options)
    cut = CutOptions(**{**CUT, **{name: options.pop(name) for name in names}})
    paths = (folder / 'images', folder / 'masks', folder / 'out')
    return convert_color_masks(*paths, options.pop('palette', MBRSC), cut, **options).description
