"""Map one image with one model, band by band and, within a band, strip by strip from the top down."""

from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple

import numpy as np
from torch import Tensor

from projects.false.imagery.rasters import Raster

from .blending import Blender, Strip
from .class_map_file import NODATA
from .pixel_rule import PixelRule
from .segmenter import Segmenter
from .sources import read_rows
from .windows import Band, WindowBatches, WindowPlan


class MappedStrip(NamedTuple):
    """Rows of a map that may still be on a GPU.

    Args:
        strip: Classes and confidence of all pixels.
        valid: Mask of the pixels that are data, (rows, columns of the band); None if all are.
    """

    strip: Strip
    valid: np.ndarray | None

    @property
    def rows(self) -> int:
        """Number of rows."""
        return len(self.strip.classes)

    def classes(self) -> np.ndarray:
        """Return the classes, 255 where there is no data; waits for the GPU."""
        return self._with_nodata(self.strip.classes)

    def confidence(self) -> np.ndarray:
        """Return the confidence in percent, 255 where there is no data; only if it was computed."""
        assert self.strip.confidence is not None
        return self._with_nodata(self.strip.confidence)

    def seam(self) -> np.ndarray | None:
        """Return the sums that the next band goes on with, see :class:`.blending.Strip`; None from the last band."""
        return None if self.strip.seam is None else self.strip.seam.cpu().numpy()

    def _with_nodata(self, values: Tensor) -> np.ndarray:
        found = values.cpu().numpy()
        if self.valid is not None:
            found[~self.valid] = NODATA
        return found


class ImageMapping:
    """One image on its way through one model.

    Args:
        raster: The image.
        rule: How its values become pixels.
        segmenter: The model.
        plan: The windows.
        batch_size: Windows per call of the model; the map depends on it by rounding alone.
        threads: Blocks of the file read at the same time; the map does not depend on it.
        confidence: Compute the confidence as well.
        temperature: Of the confidence, see :class:`.blending.Blender`.
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
        temperature: float = 1.0,
    ) -> None:
        self._raster, self._rule, self._segmenter, self.plan = raster, rule, segmenter, plan
        self.batch_size, self._threads, self._confidence = batch_size, threads, confidence
        self.windows, self.skipped = 0, 0  # windows that the model has seen, and windows without data
        self._temperature = temperature

    def strips(
        self, check: Callable[[], None], band: Band, inherited: Callable[[int], np.ndarray] | None = None
    ) -> Iterator[MappedStrip]:
        """Map a band of the image.

        Args:
            check: Called before every batch; raises to stop the mapping.
            band: One of the plan's.
            inherited: The seams of the band on its left, see :class:`.blending.Blender`; None for the first band.

        Yields:
            Strips of the map from the top down.

        Raises:
            InputError: The image cannot be read.
        """
        columns = band.left, min(band.reach, self.plan.width)
        with closing(read_rows(self._raster, self._rule, self._threads, columns)) as rows:
            batches = WindowBatches(rows, self.plan, self.batch_size, band)
            classes, device = len(self._segmenter.palette.classes), self._segmenter.device
            blender = Blender(self.plan, classes, device, self._confidence, band, inherited, self._temperature)
            for strip in self._blended(batches, blender, check):
                yield MappedStrip(strip, batches.take_valid())
            self.skipped += batches.skipped

    def _blended(self, batches: WindowBatches, blender: Blender, check: Callable[[], None]) -> Iterator[Strip]:
        for batch in batches:
            check()
            logits = self._segmenter(batch.pixels)
            self.windows += len(logits)
            first = 0
            for row, positions in groupby(batch.positions, key=itemgetter(0)):
                columns = [column for _, column in positions]
                yield from blender.add(row, columns, logits[first : first + len(columns)])
                first += len(columns)
        yield from blender.finish()
