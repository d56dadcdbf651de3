"""A fine-tuned model as a function from pixels to logits, independent of the library that runs it.

Needs no PyTorch itself: :mod:`.torch_segmenter` and :mod:`.onnx_segmenter` run the models.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from projects.false.common.errors import InputError
from projects.false.imagery.palettes import Palette

from .pixel_rule import PixelRule

if TYPE_CHECKING:
    import torch


class Segmenter(Protocol):
    """A fine-tuned model as mapping sees it.

    Args:
        palette: Its classes and their colours.
        bands: Number of bands that it takes.
        window: Side of the windows it was trained on, in pixels.
        device: Device of its logits.
        identity: Text that changes whenever its logits may change.
        recorded: The rule by which its training data was made; None if that is unknown.
    """

    palette: Palette
    bands: int
    window: int
    identity: str
    recorded: PixelRule | None

    @property
    def device(self) -> torch.device | str: ...

    def __call__(self, pixels: np.ndarray) -> torch.Tensor | np.ndarray:
        """Compute the logits of windows.

        Shape:
            - pixels: (n, window, window, bands), uint8, red first
            - result: (n, classes, window, window), float, on ``device``
        """
        ...

    def check_window(self, window: int) -> None:
        """Raise an InputError if the model cannot take windows of this side."""
        ...


class FlippedSegmenter:
    """Test-time augmentation: average the logits of a window and its mirror images, at four times the cost.

    Args:
        inner: The model.
    """

    def __init__(self, inner: Segmenter) -> None:
        self.inner = inner
        self.palette, self.bands, self.window = inner.palette, inner.bands, inner.window
        self.device, self.recorded = inner.device, inner.recorded
        self.identity = f'{inner.identity} flipped'

    def check_window(self, window: int) -> None:
        """Raise an InputError if the model cannot take windows of this side."""
        self.inner.check_window(window)

    def __call__(self, pixels: np.ndarray) -> torch.Tensor | np.ndarray:
        """Compute the mean logits of windows."""
        total = self.inner(pixels)
        for sides in ((1,), (2,), (1, 2)):
            logits = self.inner(np.ascontiguousarray(np.flip(pixels, sides)))
            axes = tuple(side + 1 for side in sides)  # logits have their channels in front
            total = total + (np.flip(logits, axes) if isinstance(logits, np.ndarray) else logits.flip(axes))
        return total / 4


def check_classes(palette: Palette, found: int, where: str | Path) -> None:
    """Check that a model has as many outputs as there are classes.

    Raises:
        InputError: It has another number.
    """
    if len(palette.classes) != found:
        raise InputError(
            f'{where}: the model has {found} classes, the palette {len(palette.classes)}, '
            f'{", ".join(palette.classes)}; give the config and the checkpoint of one training'
        )
