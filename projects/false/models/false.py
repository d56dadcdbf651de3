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
        As of :class:`ContrastiveAlgorithm`. If every one of ``data_samples`` has a ``land_cover``, the loss gets it
        as the label of the image, a number, or of its views, shares of classes of shape (2, classes); only
        determination ``oracle`` looks at it.
    """

    def loss(self, views: list[Tensor], data_samples: list | None = None) -> dict[str, Tensor]:
        """Encode both views in one pass, so that they share their batch statistics, and compare them."""
        first, second = views
        projections = self.neck(self.backbone(torch.cat([first, second])))
        labels = land_cover(data_samples)
        labels = None if labels is None else labels.to(first.device)
        return self.head.loss(*projections.split(len(first)), labels=labels)


def land_cover(data_samples: list | None) -> Tensor | None:
    """The land cover of every sample's image, shape (N,), or of all first views, then all second ones, (2N, classes).

    None unless all data samples say it.
    """
    found = [getattr(sample, 'land_cover', None) for sample in data_samples or ()]
    if not found or any(label is None for label in found):
        return None
    labels = torch.stack([torch.as_tensor(label) for label in found])
    return labels if labels.ndim == 1 else labels.transpose(0, 1).flatten(0, 1)
