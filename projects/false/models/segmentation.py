"""Two parts for segmentation: a preprocessor for any number of bands, and a linear probe.

This module needs mmseg, so only the segmentation configs import it. Its classes are in MMEngine's root registry, like
all others of the project, so that configs find them from every scope.
"""

from collections.abc import Sequence
from typing import Any

import torch
from mmcv.cnn import build_norm_layer
from mmengine.registry import MODELS
from mmseg.models import SegDataPreProcessor
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from mmseg.models.utils import resize
from torch import Tensor, nn
from torch.nn import functional

from projects.false.common.errors import InputError
from projects.false.imagery.images import band_order


@MODELS.register_module()
class BandPreProcessor(SegDataPreProcessor):
    """mmseg's preprocessor for any number of bands, in the order that pretraining gives them.

    Args:
        mean: Mean of R, G, B and of every further band, in grey levels 0 to 255.
        std: Standard deviations of the same bands, in grey levels.
        bgr_to_rgb: Reverse the first three bands, which LoadPatch reads as BGR; further bands stay where they are.
        kwargs: Other arguments of mmseg's SegDataPreProcessor.

    Shape:
        - ``data['inputs']``: images (C, H, W), uint8
        - output: (N, C, H, W), float32

    Raises:
        InputError: The number of bands differs from the length of ``mean`` and ``std``.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, mean: Sequence[float], std: Sequence[float], bgr_to_rgb: bool = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._enable_normalize = True  # mmseg sets it only for a mean and std of at most three numbers
        self.bands_reversed = bgr_to_rgb
        self.register_buffer('mean', torch.tensor(mean).view(-1, 1, 1), persistent=False)
        self.register_buffer('std', torch.tensor(std).view(-1, 1, 1), persistent=False)

    def forward(self, data: dict[str, Any], training: bool = False) -> dict[str, Any]:
        """Put red first, then let mmseg normalise and pad."""
        wrong = [image.shape[0] for image in data['inputs'] if image.shape[0] != len(self.mean)]
        if wrong:
            raise InputError(
                f'the images have {wrong[0]} bands, but mean and std of model.data_preprocessor have {len(self.mean)}; '
                'give one number per band (dataset.json of the data has them)'
            )
        if self.bands_reversed:
            order = band_order(len(self.mean))
            data = {**data, 'inputs': [image[order] for image in data['inputs']]}
        return super().forward(data, training)


@MODELS.register_module()
class LinearSegmentationHead(BaseDecodeHead):
    """Classify every pixel by one 1x1 convolution over the features of the chosen stages, upsampled and concatenated.

    Its score measures what the features hold, not what a decoder can learn: the head has only C biases and C weights
    per channel. Freeze the backbone by its own arguments, ``frozen_stages=4, norm_eval=True``.

    The convolution of every stage comes before the upsampling. The result is the same, since both are linear and
    bilinear weights sum to 1, for a fraction of the memory: stage 4 has most channels and fewest pixels.

    Args:
        in_channels: Channels of every stage in ``in_index``, in its order; a single number for a single stage.
        in_index: Stages to read, 0 to 3; (0, 1, 2, 3) gives the multi-scale probe, 3 the last-stage probe.
        num_classes: C, at least 1.
        norm_cfg: Normalisation without weights, such as ``dict(type='SyncBN')``, which brings every channel
            to mean 0 and variance 1 before the convolution and can be folded into it at test time. None leaves features
            as they are.
        kwargs: Other arguments of mmseg's BaseDecodeHead, such as ``loss_decode``, ``ignore_index`` and
            ``align_corners``.

    Shape:
        - inputs: all stages of the backbone, (N, channels, H, W) each
        - output: (N, C, H, W), H and W of the first stage in ``in_index``

    Raises:
        InputError: Channels and stages differ in number, or no stage is given.
    """

    def __init__(
        self,
        in_channels: int | Sequence[int],
        in_index: int | Sequence[int],
        num_classes: int,
        norm_cfg: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        channels = [in_channels] if isinstance(in_channels, int) else list(in_channels)
        stages = [in_index] if isinstance(in_index, int) else list(in_index)
        if not channels or len(channels) != len(stages):
            raise InputError(
                f'in_channels {in_channels} and in_index {in_index} of LinearSegmentationHead differ in number; '
                'give the channels of every stage, such as [64, 128, 256, 512] for [0, 1, 2, 3]'
            )
        super().__init__(
            in_channels=channels,
            in_index=stages,
            input_transform='multiple_select',
            channels=sum(channels),
            num_classes=num_classes,
            dropout_ratio=0,
            **kwargs,
        )
        self.norms = nn.ModuleList(
            nn.Identity() if norm_cfg is None else build_norm_layer({**norm_cfg, 'affine': False}, width)[1]
            for width in channels
        )

    def forward(self, inputs: Sequence[Tensor]) -> Tensor:
        """Return the logits of every pixel."""
        features = self._transform_inputs(inputs)
        weights = self.conv_seg.weight.split(self.in_channels, dim=1)
        logits = self.conv_seg.bias[:, None, None]
        for stage, norm, weight in zip(features, self.norms, weights, strict=True):
            part = functional.conv2d(norm(stage), weight)
            logits = logits + resize(
                part, size=features[0].shape[2:], mode='bilinear', align_corners=self.align_corners
            )
        return logits
