"""Rasters to map."""

import numpy as np
import pytest
import rasterio
from rasterio.rpc import RPC
from rasterio.transform import Affine

ROTATED = Affine.translation(500_000.25, 4_600_000.5) @ Affine.rotation(23.5) @ Affine.scale(0.3, -0.3)


_LINE, _SAMPLE, _ONE = ([float(place == number) for place in range(20)] for number in (2, 1, 0))
COEFFICIENTS = RPC(
    **{f'{name}_off': value for name, value in dict(height=100, lat=48, long=11, line=30, samp=40).items()},
    **{f'{name}_scale': value for name, value in dict(height=500, lat=0.1, long=0.1, line=30, samp=40).items()},
    line_num_coeff=_LINE,
    line_den_coeff=_ONE,
    samp_num_coeff=_SAMPLE,
    samp_den_coeff=_ONE,
)


def checkerboard(height, width, side=5, seed=0):
    """Squares of random grey levels: (3, height, width), uint8."""
    generator = np.random.default_rng(seed)
    levels = generator.integers(0, 256, (3, -(-height // side), -(-width // side)), dtype=np.uint8)
    return levels.repeat(side, axis=1).repeat(side, axis=2)[:, :height, :width]


@pytest.fixture
def make_raster(tmp_path):
    """``make_raster(pixels, name, **profile)``: a raster of pixels (bands, H, W)."""

    def make(pixels, name='scene.tif', **profile):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        count, height, width = pixels.shape
        profile = {'driver': 'GTiff', 'dtype': pixels.dtype, 'crs': 'EPSG:32633', 'transform': ROTATED} | profile
        with rasterio.open(path, 'w', height=height, width=width, count=count, **profile) as raster:
            raster.write(pixels)
        return path

    return make
