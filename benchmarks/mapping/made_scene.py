"""A GeoTIFF of any size: one drawn scene, mirrored over and over."""

from pathlib import Path

import numpy as np
import rasterio
from rasterio.transform import from_origin
from rasterio.windows import Window

from projects.false.converters.scenes.scene import draw_scene

DRAWN = 1024  # side of the drawn scene in pixels


def write_scene(path: Path, size: int, seed: int = 0, drawn: int = DRAWN) -> None:
    """Write a square RGB image with tiles of 512 pixels, deflate-compressed, 0.5 m in UTM zone 32.

    Args:
        path: File to write.
        size: Side in pixels.
        seed: Seed of the drawn scene.
        drawn: Its side in pixels, where the image is larger.
    """
    pixels = draw_scene(min(size, drawn), seed, 0)[0]
    period = np.concatenate([pixels, pixels[::-1]])
    period = np.moveaxis(np.concatenate([period, period[:, ::-1]], axis=1), -1, 0)
    across = np.tile(period, (1, 1, -(-size // period.shape[2])))[..., :size]
    profile = dict(driver='GTiff', height=size, width=size, count=3, dtype='uint8', crs='EPSG:32632')
    profile |= dict(transform=from_origin(500_000, 5_400_000, 0.5, 0.5), tiled=True, blockxsize=512, blockysize=512)
    with rasterio.open(path, 'w', **profile, compress='deflate', zlevel=1, interleave='pixel') as raster:
        for row in range(0, size, 512):
            rows = np.arange(row, min(row + 512, size)) % across.shape[1]
            raster.write(across[:, rows], window=Window(0, row, size, len(rows)))
