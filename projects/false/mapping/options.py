"""The options of :func:`.map_rasters.map_rasters`."""

from collections.abc import Sequence
from dataclasses import dataclass

from projects.false.common.errors import InputError
from projects.false.common.threads import count_workers

from .pixel_rule import PixelRule
from .segmenter import Segmenter
from .windows import BAND, WindowPlan


@dataclass(frozen=True)
class MapOptions:
    """Options for mapping images and for the files to write.

    Args:
        window: Side of the windows in pixels; None takes that of the model's training.
        overlap: Share of a window that it has in common with its neighbour, in [0, 1).
        blend: ``'smooth'`` or ``'uniform'``, see :class:`.windows.WindowPlan`.
        flip: Average the logits over mirrored windows, at four times the cost.
        batch_size: Windows per call of the model, at least 1; None takes 8 on a CPU and 32 on a GPU.
        threads: Blocks of a file to read at the same time; None takes the number of CPU cores, at most 8.
        bands: Bands to take, counted from 1, red first.
        value_range: Values that become 0 and 255, in every band.
        recorded: The rule by which the training data was made.
        confidence: Write ``NAME_confidence.tif``, in percent.
        temperature: The logits are divided by it for the confidence, see ``tools/calibrate.py``.
        preview: Write ``NAME_preview.png``.
        areas: Write ``NAME_areas.csv``.
        polygons: Write ``NAME_polygons.gpkg``, with a style for QGIS beside it, and ``NAME_confidence.tif``.
        min_area: Square metres below which a polygon joins its neighbour.
        simplify: Approximate distance in metres by which borders of polygons may move.
        allow_remote: Web addresses of GeoTIFFs may be mapped, read over the network.
        overwrite: Replace maps that were made from another image, model or window.
        band: Approximate number of pixel columns to map at a time; memory grows with it, not with the image.
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
    temperature: float = 1.0
    preview: bool = False
    areas: bool = False
    polygons: bool = False
    min_area: float = 0
    simplify: float = 0
    allow_remote: bool = False
    overwrite: bool = False
    band: int = BAND

    @property
    def with_confidence(self) -> bool:
        """True if the confidence is computed and written; polygons have its mean."""
        return self.confidence or self.polygons

    def plan(self, segmenter: Segmenter, height: int = 1, width: int = 1) -> WindowPlan:
        """Return the windows over an image of this size.

        Raises:
            InputError: A value is out of range.
        """
        window = segmenter.window if self.window is None else self.window
        return WindowPlan(height, width, window, self.overlap, self.blend, self.band)

    def batch_and_threads(self, segmenter: Segmenter) -> tuple[int, int]:
        """Return the batch size and the number of threads, with defaults that suit the model's device.

        Raises:
            InputError: A value is out of range.
        """
        on_cpu = str(segmenter.device).startswith('cpu')
        batch_size = self.batch_size if self.batch_size is not None else 8 if on_cpu else 32
        if batch_size < 1:
            raise InputError(f'batch size is {batch_size}; give at least 1')
        return batch_size, count_workers(self.threads)
