"""The projection neck between backbone and loss, and the head that holds the loss."""

from collections.abc import Sequence
from typing import Any

from mmengine.model import BaseModule
from mmengine.registry import MODELS
from torch import Tensor, nn

from projects.false.common.errors import check_count


@MODELS.register_module()
class FALSENeck(BaseModule):
    """Two linear layers on the globally averaged last feature map.

    Args:
        in_channels: Channels of the backbone's last stage.
        hid_channels: Width of the hidden layer.
        out_channels: D, the length of a projection.
        relu: Put a ReLU between the two layers, as SimCLR does. The released FALSE code leaves it out although its own
            config asks for it; ``relu=False`` reproduces that linear head.
        init_cfg: MMEngine initializer; None keeps PyTorch's initialisation of linear layers.

    Shape:
        - features: a feature map (N, in_channels, H, W), or a sequence of maps, of which the last is used
        - output: (N, D), not normalised
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
        for name, value in (
            ('in_channels', in_channels),
            ('hid_channels', hid_channels),
            ('out_channels', out_channels),
        ):
            check_count(f'{name} of FALSENeck', value)
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
    """The contrastive head, which holds the loss and has no weights of its own.

    Args:
        loss: Config of a loss that takes the projections of the two views and, in MoCo form, a queue, for example
            ``dict(type='FALSELoss')`` or ``dict(type='NTXentLoss')``.
        init_cfg: MMEngine initializer.
    """

    def __init__(self, loss: dict, init_cfg: dict | None = None) -> None:
        super().__init__(init_cfg)
        self.loss_module = MODELS.build(loss)

    def loss(self, view1: Tensor, view2: Tensor, **others: Tensor | None) -> dict[str, Tensor]:
        """Compare two (N, D) batches of projections.

        Args:
            view1: Projections of the first views, or of queries.
            view2: Projections of the second views, or of keys.
            **others: Further arguments of the loss: ``queue``, ``excluded``, ``labels``. Those that are None are left
                out.

        Returns:
            The scalar ``loss``, and the loss's numbers for the log by their names. MMEngine trains on the sum of all
            values with "loss" in their names, and logs every value.
        """
        given = {name: value for name, value in others.items() if value is not None}
        loss = self.loss_module(view1, view2, **given)
        return {'loss': loss, **getattr(self.loss_module, 'seen', {})}

    def forward(self, *args: Any, **kwargs: Any) -> dict[str, Tensor]:
        """Call :meth:`loss`; mmselfsup calls a head by this name."""
        return self.loss(*args, **kwargs)
