"""The head holds the loss: it is all in which FALSE and its baselines, SimCLR and MoCo v2, differ."""

from mmengine.model import BaseModule
from mmengine.registry import MODELS
from torch import Tensor


@MODELS.register_module()
class FALSEHead(BaseModule):
    """Contrastive head.

    Args:
        loss: Config of a loss that takes the projections of the two views and, in MoCo form, a queue, for example
            ``dict(type='FALSELoss')`` or ``dict(type='NTXentLoss')``.
        init_cfg: MMEngine initializer; a head has no weights of its own.
    """

    def __init__(self, loss: dict, init_cfg: dict | None = None) -> None:
        super().__init__(init_cfg)
        self.loss_module = MODELS.build(loss)

    def loss(
        self, view1: Tensor, view2: Tensor, queue: Tensor | None = None, excluded: Tensor | None = None
    ) -> dict[str, Tensor]:
        """Loss of two (N, D) batches of projections, with a queue or without, as ``dict(loss=scalar)``."""
        if queue is None:
            return {'loss': self.loss_module(view1, view2)}
        return {'loss': self.loss_module(view1, view2, queue=queue, excluded=excluded)}

    def forward(self, *args, **kwargs) -> dict[str, Tensor]:
        """Same as :meth:`loss`; the name under which mmselfsup calls a head."""
        return self.loss(*args, **kwargs)
