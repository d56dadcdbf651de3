"""Turn uint8 views into the input of the backbone, with the same arithmetic as in segmentation."""

from collections.abc import Sequence
from typing import Any

import torch
from mmengine.model import BaseDataPreprocessor
from mmengine.registry import MODELS

from projects.false.common.errors import InputError
from projects.false.datasets.views.color_device import apply_steps
from projects.false.imagery.images import band_order


@MODELS.register_module()
class ViewPreprocessor(BaseDataPreprocessor):
    """Move a batch of views to the device, put their bands in RGB order, finish the views and normalise them.

    Views that come with their colour steps (``ContrastiveViews(color_on='device')``) are coloured here, the whole batch
    at once; all others are finished already. The arguments have the names of mmseg's SegDataPreProcessor, so that one
    base config sets both.

    Args:
        mean: Mean of R, G, B and of every further band, in grey levels 0 to 255.
        std: Standard deviations of the same bands, in grey levels.
        bgr_to_rgb: Reverse the first three bands, which OpenCV reads as BGR; further bands stay where they are.

    Shape:
        - ``data['inputs']``: a list of V views, each (N, C, H, W), uint8, optionally followed by their steps
          (N, V, 10); or one batch of images (N, C, H, W)
        - output: the views or the images in the same arrangement, float32

    Raises:
        InputError: The number of bands differs from the length of ``mean`` and ``std``.
    """

    mean: torch.Tensor
    order: torch.Tensor
    std: torch.Tensor

    def __init__(self, mean: Sequence[float], std: Sequence[float], bgr_to_rgb: bool = True) -> None:
        super().__init__(non_blocking=True)
        # An index that is on the device already: a list would be copied there in every step.
        order = band_order(len(mean)) if bgr_to_rgb else list(range(len(mean)))
        self.register_buffer('order', torch.tensor(order), persistent=False)
        self.bgr_to_rgb = bgr_to_rgb
        self.register_buffer('mean', torch.tensor(mean).view(-1, 1, 1), persistent=False)
        self.register_buffer('std', torch.tensor(std).view(-1, 1, 1), persistent=False)

    def forward(self, data: dict[str, Any], training: bool = False) -> dict[str, Any]:
        """Finish and normalise every view of a batch."""
        inputs, steps = data['inputs'], None
        if isinstance(inputs, list | tuple) and inputs[-1].ndim == 3:
            *inputs, steps = inputs  # the steps stay on the CPU, see apply_steps
        # Data samples stay on the CPU as well: the algorithm copies what it needs from them at once.
        views = self.cast_data(inputs)
        if not isinstance(views, list | tuple):
            return {'inputs': self._finish(views), 'data_samples': data.get('data_samples')}
        if steps is None:
            finished = [self._finish(view) for view in views]
        else:
            rows = steps.cpu().transpose(0, 1).flatten(0, 1)
            finished = list(self._finish(torch.cat(views), rows).split(len(views[0])))
        return {'inputs': finished, 'data_samples': data.get('data_samples')}

    def _finish(self, images: torch.Tensor, steps: torch.Tensor | None = None) -> torch.Tensor:
        bands = images.shape[1]
        if bands != len(self.mean):
            raise InputError(
                f'the images have {bands} bands, but mean and std of model.data_preprocessor have {len(self.mean)}; '
                'give one number per band (dataset.json of the data has them)'
            )
        if self.bgr_to_rgb:
            images = images.index_select(1, self.order)
        images = images.float()
        if steps is not None:
            images = apply_steps(images, steps)
        return (images - self.mean) / self.std
