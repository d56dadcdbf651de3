"""A fine-tuned model as a function from pixels to logits."""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from projects.false.common.errors import InputError
from projects.false.imagery.images import band_order
from projects.false.imagery.palettes import Palette

from .pixel_rule import PixelRule

PRECISIONS = {'float32': None, 'bfloat16': torch.bfloat16, 'float16': torch.float16}


class Segmenter(Protocol):
    """What mapping needs to know of a model.

    Args:
        palette: Its classes and their colours.
        bands: How many it takes.
        window: Side of the windows it was trained on, in pixels.
        device: Where it computes.
        identity: Text that changes whenever its answers may.
        recorded: How the pixels of its data set were made, if it is at hand and says so.
    """

    palette: Palette
    bands: int
    window: int
    device: torch.device
    identity: str
    recorded: PixelRule | None

    def __call__(self, pixels: np.ndarray) -> Tensor:
        """Logits of windows.

        Shape:
            - pixels: (n, window, window, bands), uint8, red first
            - result: (n, classes, window, window), float, on ``device``
        """
        ...

    def check_window(self, window: int) -> None:
        """Raise an InputError if it cannot take windows of this side."""
        ...


class TorchSegmenter:
    """A model of MMSegmentation with its own preprocessor, as in fine-tuning and test.

    Args:
        model: An EncoderDecoder in evaluation mode, on the device where it shall compute.
        palette: Its classes and their colours.
        bands: How many it takes.
        window: Side of the windows it was trained on, in pixels.
        precision: ``'float32'``, or autocast to ``'bfloat16'`` or ``'float16'``.
        identity, recorded: As of :class:`Segmenter`.
    """

    def __init__(
        self,
        model: torch.nn.Module,
        palette: Palette,
        bands: int,
        window: int,
        precision: str,
        identity: str,
        recorded: PixelRule | None = None,
    ) -> None:
        self.model, self.palette, self.bands, self.window, self.recorded = model, palette, bands, window, recorded
        self.device = next(model.parameters()).device
        self.identity = f'{identity} {precision}'
        self._dtype = PRECISIONS[precision]
        self._order = band_order(bands)

    def check_window(self, window: int) -> None:
        """Any window will do."""

    @torch.inference_mode()
    def __call__(self, pixels: np.ndarray) -> Tensor:
        """Logits of windows."""
        images = torch.from_numpy(pixels).permute(0, 3, 1, 2)[:, self._order]
        if self.device.type == 'cuda':
            images = images.pin_memory().to(self.device, non_blocking=True)
        inputs = self.model.data_preprocessor({'inputs': list(images)})['inputs']
        inputs = inputs.contiguous(memory_format=torch.channels_last)
        metas = [{'img_shape': tuple(inputs.shape[2:])}] * len(inputs)
        mixed = nullcontext() if self._dtype is None else torch.autocast(self.device.type, dtype=self._dtype)
        with mixed:
            return self.model.encode_decode(inputs, metas)


@dataclass
class FlippedSegmenter:
    """Test-time augmentation: the mean of the logits of a window and its mirror images, at four times the cost.

    Args:
        inner: The model.
    """

    inner: Segmenter

    def __post_init__(self):
        self.palette, self.bands, self.window = self.inner.palette, self.inner.bands, self.inner.window
        self.recorded = self.inner.recorded
        self.device, self.identity = self.inner.device, f'{self.inner.identity} flipped'
        self.check_window: Callable[[int], None] = self.inner.check_window

    def __call__(self, pixels: np.ndarray) -> Tensor:
        """Mean logits of windows."""
        total = self.inner(pixels)
        for sides in ((1,), (2,), (1, 2)):
            mirrored = self.inner(np.ascontiguousarray(np.flip(pixels, sides)))
            total = total + mirrored.flip([side + 1 for side in sides])
        return total / 4


def check_classes(palette: Palette, found: int, where: str | Path) -> None:
    """Make sure that a model has as many outputs as there are classes.

    Raises:
        InputError: It has another number.
    """
    if len(palette.classes) != found:
        raise InputError(
            f'{where}: the model has {found} classes, the palette {len(palette.classes)}, '
            f'{", ".join(palette.classes)}; give the config and the checkpoint of one training'
        )


def palette_of(classes: Sequence[str], colors: Sequence[Sequence[int]]) -> Palette:
    """A palette for display only, in which colours may occur twice."""
    taken: list[tuple[int, int, int]] = []
    for color in colors:
        red, green, blue = color
        while (red, green, blue) in taken:
            blue = (blue + 1) % 256
        taken.append((red, green, blue))
    return Palette('model', tuple(classes), tuple(taken), index_masks=True)
