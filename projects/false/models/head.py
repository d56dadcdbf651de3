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

    def loss(self, view1: Tensor, view2: Tensor, **others: Tensor | None) -> dict[str, Tensor]:
        """Compare two (N, D) batches of projections.

        Args:
            view1: Projections of the first views, or of queries.
            view2: Projections of the second views, or of keys.
            **others: What else the loss takes: ``queue``, ``excluded``, ``labels``; None is left out.

        Returns:
            The scalar ``loss``, and by other names what the loss saw. MMEngine trains on the sum of what has "loss" in
            its name and logs everything.
        """
        loss = self.loss_module(view1, view2, **{name: value for name, value in others.items() if value is not None})
        return {'loss': loss, **getattr(self.loss_module, 'seen', {})}

    def forward(self, *args, **kwargs) -> dict[str, Tensor]:
        """Same as :meth:`loss`; the name under which mmselfsup calls a head."""
        return self.loss(*args, **kwargs)
