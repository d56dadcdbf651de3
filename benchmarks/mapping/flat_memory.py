"""Peak memory of a mapping against the size of the image, with a small model, so that a large image takes minutes."""

import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from projects.false.imagery.palettes import Palette
from projects.false.mapping.map_rasters import map_rasters
from projects.false.mapping.options import MapOptions

from .measuring import REPOSITORY, peak_bytes, reset_peak

CLASSES = 7


class SmallSegmenter:
    """Logits from the colours of 4 x 4 pixels, enlarged like those of UPerNet."""

    device, recorded, bands, identity = torch.device('cpu'), None, 3, 'small'
    palette = Palette(
        'model', tuple(f'class {index}' for index in range(CLASSES)), tuple((index, 0, 0) for index in range(CLASSES))
    )

    def __init__(self, window: int) -> None:
        self.window = window
        self.weight = torch.randn((CLASSES, 3, 1, 1), generator=torch.Generator().manual_seed(0))

    def check_window(self, window: int) -> None:
        """Accept any window."""

    def __call__(self, pixels: np.ndarray) -> torch.Tensor:
        """Return the logits of windows."""
        images = torch.from_numpy(pixels).permute(0, 3, 1, 2).float() - 128
        logits = functional.conv2d(functional.avg_pool2d(images, 4), self.weight)
        return functional.interpolate(logits, images.shape[2:], mode='bilinear')


def peak_of(source: Path, out: Path, window: int, threads: int) -> dict:
    """Map in a new process; return resident bytes, ``peak`` in all and ``extra`` to those before, and ``wall``."""
    command = [sys.executable, '-m', 'benchmarks.mapping.flat_memory', str(source), str(out), str(window), str(threads)]
    done = subprocess.run(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def main(source: str, out: str, window: str, threads: str) -> None:
    """Map one image and print the bytes."""
    torch.set_num_threads(int(threads))
    segmenter = SmallSegmenter(int(window))
    segmenter(np.zeros((1, segmenter.window, segmenter.window, 3), np.uint8))
    before, started = reset_peak('cpu'), time.perf_counter()
    list(map_rasters(segmenter, [source], out, MapOptions(overlap=0.5, threads=2)))
    peak = peak_bytes('cpu')
    print(json.dumps({'peak': peak, 'extra': peak - before, 'wall': time.perf_counter() - started}))


if __name__ == '__main__':
    main(*sys.argv[1:])
