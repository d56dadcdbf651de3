"""FALSE in its SimCLR form: one encoder, negatives from the batch."""

from typing import Any

import torch
from mmengine.model import BaseModel
from mmengine.registry import MODELS
from torch import Tensor


class ContrastiveAlgorithm(BaseModel):
    """Base of the algorithms: a backbone, a neck and a head behind MMEngine's three modes.

    All parts are built through the registry of the current default scope, so that the same class trains under
    mmpretrain and mmselfsup. A subclass implements :meth:`loss`, which decides the projections that are compared.

    Args:
        backbone: Config of the backbone; its last output feeds the neck.
        neck: Config of the projection head.
        head: Config of the head that holds the loss; it decides the method.
        data_preprocessor: Config of the preprocessor that batches and normalises the views.
        init_cfg: MMEngine initializer.

    Shape:
        - ``mode='loss'``: a list of two batches of views, each (N, C, H, W); output ``dict(loss=scalar, ...)``
        - ``mode='tensor'``: one batch (N, C, H, W); output the features of the backbone
        - ``mode='predict'``: one batch (N, C, H, W); output its projections (N, D)
    """

    def __init__(
        self,
        backbone: dict,
        neck: dict,
        head: dict,
        data_preprocessor: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(data_preprocessor=data_preprocessor, init_cfg=init_cfg)
        self.backbone = MODELS.build(backbone)
        self.neck = MODELS.build(neck)
        self.head = MODELS.build(head)

    def forward(
        self, inputs: list[Tensor] | Tensor, data_samples: list[Any] | None = None, mode: str = 'tensor'
    ) -> Any:
        """Run one of the three modes that MMEngine's loops use."""
        if mode == 'loss':
            return self.loss(list(inputs), data_samples)
        if mode == 'predict':
            return self.neck(self.backbone(inputs))
        if mode == 'tensor':
            return self.backbone(inputs)
        raise ValueError(f"mode must be 'loss', 'predict' or 'tensor', got {mode!r}")

    def loss(self, views: list[Tensor], data_samples: list[Any] | None = None) -> dict[str, Tensor]:
        """Return the loss of a batch and the numbers for the log, by name."""
        raise NotImplementedError


@MODELS.register_module()
class FALSE(ContrastiveAlgorithm):
    """Contrastive pretraining of a backbone with one encoder and in-batch negatives.

    The head decides the method: with :class:`~projects.false.losses.FALSELoss` it is FALSE (arXiv 2211.07928), with
    :class:`~projects.false.losses.NTXentLoss` it is SimCLR. On several processes the batch spans all of them.

    Args:
        backbone, neck, head, data_preprocessor, init_cfg: See :class:`ContrastiveAlgorithm`.

    Shape:
        See :class:`ContrastiveAlgorithm`. If all ``data_samples`` have a ``land_cover``, the loss gets it as labels: a
        number labels the image, and shares of classes, shape (2, classes), label its two views. Only determination
        ``oracle`` reads them.
    """

    def loss(self, views: list[Tensor], data_samples: list[Any] | None = None) -> dict[str, Tensor]:
        """Encode both views in one pass, so that they share their batch statistics, and compare them."""
        first, second = views
        projections = self.neck(self.backbone(torch.cat([first, second])))
        labels = land_cover(data_samples)
        labels = None if labels is None else labels.to(first.device)
        return self.head.loss(*projections.split(len(first)), labels=labels)


def land_cover(data_samples: list[Any] | None) -> Tensor | None:
    """Collect the ``land_cover`` of the data samples; return None if any of them lacks it.

    Returns:
        One label per image, shape (N,), or the shares of classes of all first views, then of all second ones, shape
        (2N, classes).
    """
    found = [getattr(sample, 'land_cover', None) for sample in data_samples or ()]
    if not found or any(label is None for label in found):
        return None
    labels = torch.stack([torch.as_tensor(label) for label in found])
    return labels if labels.ndim == 1 else labels.transpose(0, 1).flatten(0, 1)
