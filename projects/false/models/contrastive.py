"""What both forms of FALSE share: a backbone, a projection neck and a head that holds the loss."""

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
