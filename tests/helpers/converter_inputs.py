"""Made downloads, with the formats and names of the real ones."""

import zipfile
from pathlib import Path

import cv2
import numpy as np
import rasterio
from rasterio.io import MemoryFile

from projects.false.imagery.mask_colors import index_to_colors
from projects.false.imagery.palettes import PALETTES


def tiff(pixels: np.ndarray, **options) -> bytes:
    """A TIFF of (H, W) or (H, W, bands) pixels; fast to write and small where the pixels are smooth."""
    bands = pixels[None] if pixels.ndim == 2 else np.moveaxis(pixels, -1, 0)
    profile = dict(zip(('count', 'height', 'width'), bands.shape, strict=True))
    place = {'crs': 'EPSG:32633', 'transform': rasterio.Affine(0.05, 0, 366_000, 0, -0.05, 5_808_000)}
    options = {'compress': 'lzw', **place, **options}
    with MemoryFile() as memory:
        with memory.open(driver='GTiff', dtype=bands.dtype, **profile, **options) as raster:
            raster.write(bands)
        return memory.read()


def png(pixels: np.ndarray) -> bytes:
    return cv2.imencode('.png', pixels[..., ::-1] if pixels.ndim == 3 else pixels)[1].tobytes()


def jpeg(pixels: np.ndarray) -> bytes:
    return cv2.imencode('.jpg', pixels[..., ::-1])[1].tobytes()


def blocks(palette: str, side: int, seed: int = 0, per_side: int = 8) -> np.ndarray:
    """Class indices in large blocks, every class among them."""
    palette = PALETTES[palette]
    classes = np.random.default_rng(seed).integers(0, len(palette.classes), (per_side, per_side))
    classes.ravel()[: len(palette.classes)] = range(len(palette.classes))
    return cv2.resize(classes.astype(np.uint8), (side, side), interpolation=cv2.INTER_NEAREST)


def potsdam_label(index: np.ndarray, seed: int | None = None) -> np.ndarray:
    """Colours of a Potsdam label; with a seed like the worst real ones: cars of 252,255,0 and JPEG noise."""
    colors = index_to_colors(index, PALETTES['potsdam'])
    if seed is None:
        return colors
    colors[index == PALETTES['potsdam'].classes.index('car')] = (252, 255, 0)
    noise = np.random.default_rng(seed).integers(-90, 91, colors.shape, np.int16)
    return (colors + noise).clip(0, 255).astype(np.uint8)


def write_zip(path: Path, members: dict[str, bytes]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def write_files(folder: Path, files: dict[str, bytes]) -> None:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
