"""Some windows of real images, to compare two forms of a model on."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from .map_options import MapOptions
from .pixel_rule import choose_rule
from .segmenter import Segmenter
from .source_files import find_sources
from .sources import read_rows
from .window_batches import WindowBatches


def sample_windows(
    sources: Sequence[str | Path], segmenter: Segmenter, window: int, count: int = 8
) -> list[np.ndarray]:
    """The first window with data of each of the first images.

    Args:
        sources: Images, or folders of them.
        segmenter: Says which bands, and how they are scaled.
        window: Side of the windows in pixels.
        count: How many, at most.

    Shape:
        - result: (window, window, bands) each, uint8, red first

    Raises:
        InputError: An image is unusable, or none has data.
    """
    found: list[np.ndarray] = []
    for raster in find_sources(sources, most=count):
        rule = choose_rule(raster, segmenter.bands, recorded=segmenter.recorded)
        plan = MapOptions(window=window, overlap=0).plan(segmenter, raster.height, raster.width)
        rows = read_rows(raster, rule, threads=1)
        found += [batch.pixels[0] for batch, _ in zip(WindowBatches(rows, plan, 1), range(1), strict=False)]
        rows.close()
    return found


def made_windows(bands: int, window: int, count: int = 8) -> list[np.ndarray]:
    """Random squares of several sizes, where there is no image at hand; shapes as of :func:`sample_windows`."""
    generator, windows = np.random.default_rng(0), []
    for _ in range(count):
        side = int(generator.integers(2, 17))
        levels = generator.integers(0, 256, (-(-window // side),) * 2 + (bands,), dtype=np.uint8)
        windows.append(levels.repeat(side, axis=0).repeat(side, axis=1)[:window, :window])
    return windows
