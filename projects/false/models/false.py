"""FALSE in its SimCLR form: one encoder, negatives from the batch."""

from collections.abc import Sequence
from typing import Any

import torch
from mmengine.model import BaseModel
from mmengine.registry import MODELS
from torch import Tensor

from projects.false.common.errors import InputError
from projects.false.datasets.views.color_device import to_device


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

    @property
    def reads(self) -> tuple[str, ...]:
        """What the determination of the loss reads besides projections."""
        determination = getattr(getattr(self.head, 'loss_module', None), 'determination', None)
        return getattr(determination, 'reads', ())

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
        See :class:`ContrastiveAlgorithm`. The loss gets those of these fields that all ``data_samples`` have:
        ``land_cover`` as labels, a number for the image or shares of classes for its two views, (2, classes), which
        determination ``oracle`` reads; ``evidence``, (2, kinds), which determination ``evidence`` reads; and ``place``,
        (2, 5), which ``place`` and ``other_place`` read. ``nearest_features`` gets the features of the backbone.
    """

    def loss(self, views: list[Tensor], data_samples: list[Any] | None = None) -> dict[str, Tensor]:
        """Encode both views in one pass, so that they share their batch statistics, and compare them."""
        first, second = two_views(views)
        # Copy from host to device first: once the network runs, copies would have to wait for it.
        found = {name: known_of_views(data_samples, name) for name in SAMPLE_FIELDS}
        known = {name: None if value is None else to_device(value, first.device) for name, value in found.items()}
        features = self.backbone(torch.cat([first, second]))
        if 'features' in self.reads:
            known['features'] = pooled(features)
        return self.head.loss(*self.neck(features).split(len(first)), **known)


def pooled(features: Tensor | Sequence[Tensor]) -> Tensor:
    """Average the last feature map of a batch over its cells, without gradient, shape (N, channels)."""
    last = features if isinstance(features, Tensor) else features[-1]
    return last.detach().float().mean((2, 3))


def two_views(views: list[Tensor]) -> list[Tensor]:
    """Return the views of a batch.

    Raises:
        InputError: There are not exactly two views, or they differ in size.
    """
    if len(views) != 2 or views[0].shape != views[1].shape:
        shapes = ', '.join(str(tuple(view.shape)) for view in views)
        raise InputError(
            f'the algorithm compares two views of one size, got {len(views)} of shape {shapes}; set num_views=2 of '
            'ContrastiveViews (train_dataloader.dataset.pipeline.1.num_views=2)'
        )
    return views


SAMPLE_FIELDS = {'labels': 'land_cover', 'evidence': 'evidence', 'place': 'place'}
"""What the loss may know of its views, and the field of a data sample that holds it."""


def known_of_views(data_samples: list[Any] | None, name: str) -> Tensor | None:
    """Collect ``labels``, ``evidence`` or ``place`` from the samples, on the CPU; return None if any of them lacks it.

    Returns:
        One label per image, shape (N,), or the shares of kinds, or places, of all first views, then of all second ones,
        shape (2N, kinds).
    """
    field = SAMPLE_FIELDS[name]
    # mmselfsup packs fields of any name one level deeper.
    holders = [getattr(sample, 'pseudo_label', sample) for sample in data_samples or ()]
    found = [getattr(holder, field, None) for holder in holders]
    if not found or any(known is None for known in found):
        return None
    values = torch.stack([torch.as_tensor(known) for known in found])
    return values if values.ndim == 1 else values.transpose(0, 1).flatten(0, 1)
