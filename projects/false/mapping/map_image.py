"""Map one image with one model, strip by strip from the top down."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple

import numpy as np
from torch import Tensor

from projects.false.common.errors import InputError
from projects.false.common.threads import count_workers
from projects.false.imagery.rasters import Raster

from .blending import Blender, Strip
from .pixel_rule import PixelRule
from .segmenter import Segmenter
from .sources import read_rows
from .windows import WindowBatches, WindowPlan


@dataclass(frozen=True)
class MapOptions:
    """How to map.

    Args:
        window: Side of the windows in pixels; None takes that of the model's training.
        overlap: Share of a window that neighbours have in common, in [0, 1).
        blend: ``'smooth'`` or ``'uniform'``, as of :class:`WindowPlan`.
        flip: Mean over mirrored windows, at four times the cost.
        batch_size: Windows a call of the model, at least 1; None takes 8 on a CPU and 32 on a GPU.
        threads: Blocks of a file read at the same time; None takes the number of CPU cores, at most 8.
        bands: Bands to take, from 1, red first.
        value_range: Values that become 0 and 255, for every band alike.
        recorded: How the model's data was made.
        confidence: Write ``NAME_confidence.tif``, per cent.
        preview: Write ``NAME_preview.png``.
        areas: Write ``NAME_areas.csv``.
        overwrite: Replace maps that were made otherwise.
    """

    window: int | None = None
    overlap: float = 0.5
    blend: str = 'smooth'
    flip: bool = False
    batch_size: int | None = None
    threads: int | None = None
    bands: Sequence[int] | None = None
    value_range: Sequence[float] | None = None
    recorded: PixelRule | None = None
    confidence: bool = False
    preview: bool = False
    areas: bool = False
    overwrite: bool = False

    def plan(self, segmenter: Segmenter, height: int = 1, width: int = 1) -> WindowPlan:
        """The windows over an image of this size.

        Raises:
            InputError: A value is out of range.
        """
        window = segmenter.window if self.window is None else self.window
        return WindowPlan(height, width, window, self.overlap, self.blend)

    def speed(self, segmenter: Segmenter) -> tuple[int, int]:
        """Batch size and threads.

        Raises:
            InputError: A value is out of range.
        """
        batch_size = self.batch_size if self.batch_size is not None else 8 if segmenter.device.type == 'cpu' else 32
        if batch_size < 1:
            raise InputError(f'batch size is {batch_size}; give at least 1')
        return batch_size, count_workers(self.threads)


NODATA = 255


class RawStrip(NamedTuple):
    """Rows of a map that may still be on a GPU.

    Args:
        strip: Classes and confidence of all pixels.
        valid: Which of them are data; None if all are.
    """

    strip: Strip
    valid: np.ndarray | None

    def finished(self, part: Tensor) -> np.ndarray:
        """One of the two as an array, 255 where there is no data; waits for the GPU."""
        values = part.cpu().numpy()
        if self.valid is not None:
            values[~self.valid] = NODATA
        return values


class Mapping:
    """An image, a model, and the windows in which they meet.

    Args:
        raster: The image.
        rule: How its values become pixels.
        segmenter: The model.
        plan: The windows.
        batch_size: Windows a call of the model; the map does not depend on it.
        threads: Blocks of the file read at the same time; the map does not depend on it.
        confidence: Compute the confidence, too.
    """

    def __init__(
        self,
        raster: Raster,
        rule: PixelRule,
        segmenter: Segmenter,
        plan: WindowPlan,
        batch_size: int,
        threads: int,
        confidence: bool,
    ) -> None:
        self._segmenter = segmenter
        self._blender = Blender(plan, len(segmenter.palette.classes), segmenter.device, confidence)
        self._rows = read_rows(raster, rule, threads)
        self._batches = WindowBatches(self._rows, plan, batch_size)
        self.windows = 0

    @property
    def skipped(self) -> int:
        """Windows without data, which the model did not see."""
        return self._batches.skipped

    def strips(self, check: Callable[[], None]) -> Iterator[RawStrip]:
        """Map the image.

        Args:
            check: Called before every batch; raises if there is no use in going on.

        Raises:
            InputError: It cannot be read.
        """
        with closing(self._rows):
            for strip in self._strips(check):
                yield RawStrip(strip, self._batches.take_valid())

    def _strips(self, check: Callable[[], None]) -> Iterator[Strip]:
        for batch in self._batches:
            check()
            logits = self._segmenter(batch.pixels)
            self.windows += len(logits)
            first = 0
            for row, places in groupby(batch.places, key=itemgetter(0)):
                columns = [column for _, column in places]
                yield from self._blender.add(row, columns, logits[first : first + len(columns)])
                first += len(columns)
        yield from self._blender.finish()
