"""FALSE in its SimCLR form: one encoder, negatives from the batch."""

import torch
from mmengine.registry import MODELS
from torch import Tensor

from .contrastive import ContrastiveAlgorithm


@MODELS.register_module()
class FALSE(ContrastiveAlgorithm):
    """Contrastive pretraining of a backbone with one encoder and in-batch negatives.

    The head decides the method: with :class:`~projects.false.losses.FALSELoss` it is FALSE (arXiv 2211.07928), with
    :class:`~projects.false.losses.NTXentLoss` it is SimCLR. On several processes the batch is that of all of them.

    Args:
        backbone, neck, head, data_preprocessor, init_cfg: As of :class:`ContrastiveAlgorithm`.

    Shape:
        As of :class:`ContrastiveAlgorithm`.
    """

    def loss(self, views: list[Tensor], data_samples: list | None = None) -> dict[str, Tensor]:
        """Encode both views in one pass, so that they share their batch statistics, and compare them."""
        first, second = views
        projections = self.neck(self.backbone(torch.cat([first, second])))
        return self.head.loss(*projections.split(len(first)))
