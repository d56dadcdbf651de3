"""One image through one model: strips of the map, from the top down."""

from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple

import numpy as np
from torch import Tensor

from projects.false.imagery.rasters import Raster

from .blending import Blender, Strip
from .pixel_rule import PixelRule
from .segmenter import Segmenter
from .sources import read_rows
from .window_batches import WindowBatches
from .windows import WindowPlan

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
