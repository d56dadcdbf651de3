"""Map one image with one model, strip by strip from the top down."""

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
from .windows import WindowBatches, WindowPlan


class MappedStrip(NamedTuple):
    """Rows of a map that may still be on a GPU.

    Args:
        strip: Classes and confidence of all pixels.
        valid: Mask of the pixels that are data, (rows, width); None if all are.
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
        self._segmenter = segmenter
        self._blender = Blender(plan, len(segmenter.palette.classes), segmenter.device, confidence, temperature)
        self._rows = read_rows(raster, rule, threads)
        self._batches = WindowBatches(self._rows, plan, batch_size)
        self.windows = 0  # that the model has seen

    @property
    def skipped(self) -> int:
        """Number of windows without data, which the model did not see."""
        return self._batches.skipped

    def strips(self, check: Callable[[], None]) -> Iterator[MappedStrip]:
        """Map the image.

        Args:
            check: Called before every batch; raises to stop the mapping.

        Yields:
            Strips of the map from the top down.

        Raises:
            InputError: The image cannot be read.
        """
        with closing(self._rows):
            for strip in self._blended(check):
                yield MappedStrip(strip, self._batches.take_valid())

    def _blended(self, check: Callable[[], None]) -> Iterator[Strip]:
        for batch in self._batches:
            check()
            logits = self._segmenter(batch.pixels)
            self.windows += len(logits)
            first = 0
            for row, positions in groupby(batch.positions, key=itemgetter(0)):
                columns = [column for _, column in positions]
                yield from self._blender.add(row, columns, logits[first : first + len(columns)])
                first += len(columns)
        yield from self._blender.finish()
