"""From uint8 views to the tensor at the backbone, by the same arithmetic as in segmentation."""

from collections.abc import Sequence

import torch
from mmengine.model import BaseDataPreprocessor
from mmengine.registry import MODELS


@MODELS.register_module()
class ViewPreprocessor(BaseDataPreprocessor):
    """Move a batch of views to the device, put its channels in RGB order and normalise it.

    Arguments are named as those of mmseg's SegDataPreProcessor, so that one base config sets both.

    Args:
        mean: Mean of R, G and B, in grey levels 0 to 255.
        std: Standard deviation of R, G and B, in grey levels.
        bgr_to_rgb: The images come as BGR, as OpenCV reads them.

    Shape:
        ``data['inputs']``: a list of views, each (N, 3, H, W) uint8, or one such batch. Output: the same, float32.
    """

    def __init__(
        self,
        mean: Sequence[float],
        std: Sequence[float],
        bgr_to_rgb: bool = True,
    ) -> None:
        super().__init__()
        self.bgr_to_rgb = bgr_to_rgb
        self.register_buffer('mean', torch.tensor(mean).view(-1, 1, 1), persistent=False)
        self.register_buffer('std', torch.tensor(std).view(-1, 1, 1), persistent=False)

    def forward(self, data: dict, training: bool = False) -> dict:
        """Normalise every view of a batch."""
        data = self.cast_data(data)
        views = data['inputs']
        normalised = (
            [self._normalise(view) for view in views] if isinstance(views, list | tuple) else self._normalise(views)
        )
        return {'inputs': normalised, 'data_samples': data.get('data_samples')}

    def _normalise(self, images: torch.Tensor) -> torch.Tensor:
        if self.bgr_to_rgb:
            images = images[:, [2, 1, 0]]
        return (images.float() - self.mean) / self.std
