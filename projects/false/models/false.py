"""FALSE in its SimCLR form: one encoder, negatives from the batch."""

import torch
from mmengine.model import BaseModel
from mmengine.registry import MODELS
from torch import Tensor


class ContrastiveAlgorithm(BaseModel):
    """Base of the algorithms: wires backbone, neck and head, and answers to MMEngine's three modes.

    All parts are built through the registry of the current default scope, so that the same class trains under
    mmpretrain and mmselfsup. A subclass says in :meth:`loss` which projections are compared.

    Args:
        backbone: Config of the backbone; its last output feeds the neck.
        neck: Config of the projection head.
        head: Config of the head that holds the loss; it decides the method.
        data_preprocessor: Config of the preprocessor that batches and normalises the views.
        init_cfg: MMEngine initializer.

    Shape:
        ``inputs`` is a list of two view batches, each (N, 3, H, W). ``mode='loss'`` gives ``dict(loss=scalar)``,
        ``mode='tensor'`` the backbone's features of one batch (N, 3, H, W), ``mode='predict'`` its projections (N, D).
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

    def forward(self, inputs: list[Tensor] | Tensor, data_samples: list | None = None, mode: str = 'tensor'):
        """Run one of the three modes that MMEngine's loops use."""
        if mode == 'loss':
            return self.loss(inputs, data_samples)
        if mode == 'predict':
            return self.neck(self.backbone(inputs))
        if mode == 'tensor':
            return self.backbone(inputs)
        raise ValueError(f"mode must be 'loss', 'predict' or 'tensor', got {mode!r}")

    def loss(self, views: list[Tensor], data_samples: list | None = None) -> dict[str, Tensor]:
        """Losses of a batch by name."""
        raise NotImplementedError


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
