"""Segmentation with any number of bands: mmseg's preprocessor takes one or three.

Needs mmseg, so it is imported by the segmentation configs only.
"""

from collections.abc import Sequence

import torch
from mmengine.registry import MODELS
from mmseg.models import SegDataPreProcessor

from projects.false.errors import InputError


@MODELS.register_module()
class BandPreProcessor(SegDataPreProcessor):
    """mmseg's preprocessor for any number of bands, in the order that :class:`ViewPreprocessor` has in pretraining.

    Args:
        mean: Mean of R, G, B and of every further band, in grey levels 0 to 255.
        std: Standard deviation of the same, in grey levels.
        bgr_to_rgb: The images come as BGR, as LoadPatch reads them; further bands stay where they are.
        kwargs: As of mmseg's SegDataPreProcessor.

    Shape:
        ``data['inputs']``: images (C, H, W), uint8. Output: (N, C, H, W), float32.

    Raises:
        InputError: The images have another number of bands than ``mean`` and ``std``.
    """

    def __init__(self, mean: Sequence[float], std: Sequence[float], bgr_to_rgb: bool = True, **kwargs) -> None:
        super().__init__(**kwargs)
        self._enable_normalize = True
        self.bands_reversed = bgr_to_rgb
        self.register_buffer('mean', torch.tensor(mean).view(-1, 1, 1), persistent=False)
        self.register_buffer('std', torch.tensor(std).view(-1, 1, 1), persistent=False)

    def forward(self, data: dict, training: bool = False) -> dict:
        """Put red first, then normalise and pad as mmseg does."""
        wrong = [image.shape[0] for image in data['inputs'] if image.shape[0] != len(self.mean)]
        if wrong:
            raise InputError(
                f'the images have {wrong[0]} bands, mean and std of model.data_preprocessor have {len(self.mean)}; '
                'give one number a band (dataset.json of the data has them)'
            )
        if self.bands_reversed:
            order = [2, 1, 0, *range(3, len(self.mean))] if len(self.mean) >= 3 else list(range(len(self.mean)))
            data = {**data, 'inputs': [image[order] for image in data['inputs']]}
        return super().forward(data, training)
