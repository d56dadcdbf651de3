"""The projection neck between backbone and loss, and the head that holds the loss."""

from collections.abc import Sequence

from mmengine.model import BaseModule
from mmengine.registry import MODELS
from torch import Tensor, nn


@MODELS.register_module()
class FALSENeck(BaseModule):
    """Two linear layers on the globally averaged last feature map.

    Args:
        in_channels: Channels of the backbone's last stage.
        hid_channels: Width of the hidden layer.
        out_channels: D, the length of a projection.
        relu: ReLU between the two layers, as SimCLR has it. The released FALSE code leaves it out although its own
            config asks for it (a linear head); ``relu=False`` reproduces that.
        init_cfg: MMEngine initializer, by default PyTorch's own initialisation of linear layers.

    Shape:
        A feature map (N, in_channels, H, W), or a sequence of them of which the last is taken. Output: (N, D), not
        normalised.
    """

    def __init__(
        self,
        in_channels: int,
        hid_channels: int = 2048,
        out_channels: int = 128,
        relu: bool = True,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.hidden = nn.Linear(in_channels, hid_channels)
        self.activation = nn.ReLU(inplace=True) if relu else nn.Identity()
        self.project = nn.Linear(hid_channels, out_channels)

    def forward(self, features: Tensor | Sequence[Tensor]) -> Tensor:
        """Project a batch of feature maps."""
        last = features if isinstance(features, Tensor) else features[-1]
        return self.project(self.activation(self.hidden(self.pool(last).flatten(1))))


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
