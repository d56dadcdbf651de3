"""Synthetic patches with structure at every scale, the same pixels stored in three ways."""

from pathlib import Path

import cv2
import numpy as np

from projects.false.patch_folder.packing import pack

STORAGES = ('PNG', 'JPEG', 'packed')


def make_patch(generator: np.random.Generator, size: int) -> np.ndarray:
    """Draw octaves of coloured noise, each weaker than the coarser one, (size, size, 3) uint8."""
    patch = np.full((size, size, 3), 118.0, np.float32)
    for side, strength in ((4, 30), (16, 22), (64, 14), (size, 5)):
        noise = generator.normal(0, strength, (side, side, 3)).astype(np.float32)
        patch += cv2.resize(noise, (size, size), interpolation=cv2.INTER_CUBIC)
    return np.clip(patch, 0, 255).astype(np.uint8)


def make_content(folder: Path, count: int, size: int) -> None:
    """Write ``count`` patches as PNG, as JPEG of quality 95, and packed."""
    generator = np.random.default_rng(0)
    for name in ('PNG', 'JPEG'):
        (folder / name).mkdir(parents=True)
    for number in range(count):
        patch = make_patch(generator, size)
        cv2.imwrite(str(folder / 'PNG' / f'{number:05}.png'), patch)
        cv2.imwrite(str(folder / 'JPEG' / f'{number:05}.jpg'), patch, [cv2.IMWRITE_JPEG_QUALITY, 95])
    pack(folder, images='PNG', masks='')
