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

    The windows are normalised by the model's data preprocessor, so a map needs no mean and standard deviation of its
    own. The model computes on the device of its parameters, without gradient.

    Args:
        model: An EncoderDecoder in evaluation mode, on the device where it is to compute.
        palette: Its classes and their colours; one class per output of the model.
        bands: Number of bands that the model takes, at least 1.
        window: Side of the windows that it was trained on, in pixels.
        precision: ``'float32'``, or ``'bfloat16'`` or ``'float16'`` for autocast.
        identity: Text that changes with the model, such as the name and digest of its checkpoint. The precision is
            added, because it changes the logits too.
        recorded: The rule by which the training data was made; None if it is unknown.

    Shape:
        - pixels: (n, side, side, bands), uint8, red first
        - result: (n, classes, side, side), floating point, on the model's device

    Example:
        >>> import numpy as np
        >>> from projects.false.mapping.load_segmenter import load_segmenter
        >>> segmenter = load_segmenter('configs/upernet_r18_mbrsc.py', 'iter_200.pth')  # doctest: +SKIP
        >>> window = np.zeros((1, segmenter.window, segmenter.window, segmenter.bands), np.uint8)  # doctest: +SKIP
        >>> classes = segmenter(window).argmax(1)  # doctest: +SKIP
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
        """Accept windows of any side, because the model is fully convolutional."""

    @torch.inference_mode()
    def __call__(self, pixels: np.ndarray) -> Tensor:
        """Return the logits of windows; shapes as in the class."""
        images = torch.from_numpy(pixels).permute(0, 3, 1, 2)[:, self._order]
        if self.device.type == 'cuda':
            images = images.pin_memory().to(self.device, non_blocking=True)
        inputs = self.model.get_submodule('data_preprocessor')({'inputs': list(images)})['inputs']
        inputs = inputs.contiguous(memory_format=torch.channels_last)
        metas = [{'img_shape': tuple(inputs.shape[2:])}] * len(inputs)
        mixed = nullcontext() if self._dtype is None else torch.autocast(self.device.type, dtype=self._dtype)
        with mixed:
            return self.model.encode_decode(inputs, metas)  # type: ignore[operator]  # a method of EncoderDecoder
