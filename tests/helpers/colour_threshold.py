"""A model whose map is known: the class of a pixel is the number of thresholds that its first band reaches."""

import numpy as np
import torch

from projects.false.imagery.palettes import Palette


class ColourThreshold:
    """A segmenter that looks at single pixels.

    Args:
        thresholds: Grey levels at which the next class begins.
        bands: Number of bands.
        window: Side of its training windows.
    """

    device = torch.device('cpu')
    recorded = None

    def __init__(self, thresholds=(128,), bands=3, window=32):
        self.thresholds, self.bands, self.window = torch.tensor(thresholds), bands, window
        names = [f'class {index}' for index in range(len(thresholds) + 1)]
        self.palette = Palette(
            'model', tuple(names), tuple((index * 40, 10, 200 - index * 40) for index in range(len(names)))
        )
        self.identity = f'thresholds {list(thresholds)}'
        self.batches = []

    def check_window(self, window):
        """Accept any window."""

    def __call__(self, pixels):
        """Return a logit of 1 for the class of the pixel and 0 for the others."""
        assert pixels.dtype == np.uint8
        assert pixels.shape[3] == self.bands
        self.batches.append(len(pixels))
        index = (torch.from_numpy(pixels[..., :1]) >= self.thresholds).sum(-1)
        return torch.nn.functional.one_hot(index, len(self.palette.classes)).permute(0, 3, 1, 2).float()


def expected_classes(band, thresholds=(128,)):
    """Return the map of a first band, (H, W) to (H, W)."""
    return np.sum(band[..., None] >= np.array(thresholds), axis=-1).astype(np.uint8)
