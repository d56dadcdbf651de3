"""A segmenter that runs a PyTorch model of MMSegmentation's form; :mod:`.load_segmenter` builds it."""

from contextlib import nullcontext

import numpy as np
import torch
from torch import Tensor, nn

from projects.false.imagery.images import band_order
from projects.false.imagery.palettes import Palette

from .pixel_rule import PixelRule

PRECISIONS = {'float32': None, 'bfloat16': torch.bfloat16, 'float16': torch.float16}


class TorchSegmenter:
    """A model of MMSegmentation behind its own preprocessor, as in fine-tuning and testing.

    Args:
        model: An EncoderDecoder in evaluation mode, on the device where it computes.
        palette: Its classes and their colours.
        bands: Number of bands that it takes.
        window: Side of the windows it was trained on, in pixels.
        precision: ``'float32'``, or ``'bfloat16'`` or ``'float16'`` for autocast.
        identity, recorded: See :class:`.segmenter.Segmenter`.
    """

    def __init__(
        self,
        model: nn.Module,
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
        """Accept any window: the model is fully convolutional."""

    @torch.inference_mode()
    def __call__(self, pixels: np.ndarray) -> Tensor:
        """Compute the logits of windows, see :class:`.segmenter.Segmenter`."""
        images = torch.from_numpy(pixels).permute(0, 3, 1, 2)[:, self._order]
        if self.device.type == 'cuda':
            images = images.pin_memory().to(self.device, non_blocking=True)
        inputs = self.model.get_submodule('data_preprocessor')({'inputs': list(images)})['inputs']
        inputs = inputs.contiguous(memory_format=torch.channels_last)
        metas = [{'img_shape': tuple(inputs.shape[2:])}] * len(inputs)
        mixed = nullcontext() if self._dtype is None else torch.autocast(self.device.type, dtype=self._dtype)
        with mixed:
            return self.model.encode_decode(inputs, metas)  # type: ignore[operator]  # a method of EncoderDecoder
