"""Synthetic land cover: drawn tiles, georeferenced, with exact colour masks."""

import math
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import rasterio
from rich.console import Console
from rich.progress import track

from projects.false.common.errors import InputError, check_seed
from projects.false.common.files import staged_folder
from projects.false.imagery.mask_colors import index_to_colors
from projects.false.imagery.palettes import PALETTES
from projects.false.patch_folder.lists import write_list

from .scenes import draw_scene

EPSG = 32633
PIXEL_METRES = 0.5
ORIGIN = (500_000.0, 5_500_000.0)  # easting and northing of the north-west corner of tile 0


def write_synthetic_tiles(
    out: str | Path,
    tiles: int,
    size: int = 512,
    seed: int = 0,
    val_tiles: int = 0,
    test_tiles: int = 0,
    overwrite: bool = False,
) -> list[str]:
    """Make ``out`` with ``images/`` and ``masks/``, and with ``val.txt`` and ``test.txt`` if they have tiles.

    Tiles are RGB GeoTIFFs (EPSG:32633, 0.5 m) that lie side by side on a square grid, row by row from the north-west.
    Masks have the colours of the palette ``synthetic``. Tile k depends on seed, size and k alone. The last tiles are
    for testing, the ones before them for validation.

    Args:
        out: Output folder; it appears once it is complete.
        tiles: Number of tiles, at least 1.
        size: Side of a tile in pixels, at least 64.
        seed: Seed, at least 0.
        val_tiles: Number of tiles in ``val.txt``.
        test_tiles: Number of tiles in ``test.txt``.
        overwrite: Replace an earlier output.

    Returns:
        The stems of the tiles.

    Raises:
        InputError: An argument is out of range, or ``out`` exists and may not be replaced.
    """
    for name, value, least in (('tiles', tiles, 1), ('val tiles', val_tiles, 0), ('test tiles', test_tiles, 0)):
        if value < least:
            raise InputError(f'{name} is {value}; give at least {least}')
    if val_tiles + test_tiles >= tiles:
        raise InputError(
            f'{val_tiles} val and {test_tiles} test tiles of {tiles} leave none for training; give more tiles'
        )
    if size < 64:
        raise InputError(f'size is {size}; give at least 64 pixels')
    check_seed(seed)
    stems = [f'tile_{number:03d}' for number in range(tiles)]
    across = math.ceil(math.sqrt(tiles))
    console = Console(stderr=True)
    with staged_folder(out, overwrite, marker='images/tile_000.tif') as staged:
        (staged / 'images').mkdir()
        (staged / 'masks').mkdir()

        def draw(number: int) -> None:
            picture, labels = draw_scene(size, seed, number)
            row, column = divmod(number, across)
            colors = index_to_colors(labels, PALETTES['synthetic'])
            write_tile(staged / 'images' / f'{stems[number]}.tif', picture, row, column)
            write_tile(staged / 'masks' / f'{stems[number]}.tif', colors, row, column)

        with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
            work = pool.map(draw, range(tiles))
            for _ in track(
                work, 'drawing', total=tiles, console=console, transient=True, disable=not console.is_terminal
            ):
                pass
        for split, names in (
            ('val', stems[tiles - test_tiles - val_tiles : tiles - test_tiles]),
            ('test', stems[tiles - test_tiles :]),
        ):
            if names:
                write_list(staged / f'{split}.txt', names)
    return stems


def write_tile(path: Path, pixels: np.ndarray, row: int, column: int) -> None:
    """Write an RGB GeoTIFF with its georeference in the grid of tiles.

    Shape:
        - pixels: (S, S, 3), uint8
    """
    size = len(pixels)
    extent = size * PIXEL_METRES
    transform = rasterio.Affine(
        PIXEL_METRES, 0, ORIGIN[0] + column * extent, 0, -PIXEL_METRES, ORIGIN[1] - row * extent
    )
    # GDAL wants block sides that are multiples of 16; a smaller image is one block.
    block = min(256, math.ceil(size / 16) * 16)
    profile = {'driver': 'GTiff', 'width': size, 'height': size, 'count': 3, 'dtype': 'uint8', 'crs': f'EPSG:{EPSG}'}
    layout = {'compress': 'deflate', 'tiled': True, 'blockxsize': block, 'blockysize': block, 'photometric': 'RGB'}
    with rasterio.open(path, 'w', transform=transform, **profile, **layout) as raster:
        raster.write(np.moveaxis(pixels, -1, 0))
