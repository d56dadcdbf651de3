"""The head holds the loss: it is all in which FALSE and SimCLR differ."""

from mmengine.model import BaseModule
from mmengine.registry import MODELS
from torch import Tensor


@MODELS.register_module()
class FALSEHead(BaseModule):
    """Contrastive head.

    Args:
        loss: Config of a loss that takes the projections of the two views, for example ``dict(type='FALSELoss')`` or
            ``dict(type='NTXentLoss')``.
        init_cfg: MMEngine initializer; a head has no weights of its own.
    """

    def __init__(self, loss: dict, init_cfg: dict | None = None) -> None:
        super().__init__(init_cfg)
        self.loss_module = MODELS.build(loss)

    def loss(self, view1: Tensor, view2: Tensor) -> dict[str, Tensor]:
        """Loss of two (N, D) batches of projections, as ``dict(loss=scalar)``."""
        return {'loss': self.loss_module(view1, view2)}

    def forward(self, view1: Tensor, view2: Tensor) -> dict[str, Tensor]:
        """Same as :meth:`loss`; the name under which mmselfsup calls a head."""
        return self.loss(view1, view2)
