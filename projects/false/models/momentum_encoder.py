"""A copy of an encoder that follows it slowly (MoCo, arXiv 1911.05722, equation 2)."""

from copy import deepcopy

import torch
from torch import Tensor, nn


class MomentumEncoder(nn.Module):
    """Key encoder: theta_k <- (1 - momentum) theta_k + momentum theta_q, without a gradient.

    The first update copies the query encoder, whose weights are initialised or loaded after it was built. MMEngine's
    averaged model counts its updates on the device and so waits for it twice a step; nothing here does. Statistics of
    batch normalisation are the copy's own.

    Args:
        encoder: The query encoder.
        momentum: Share of the query encoder, in (0, 1).
    """

    def __init__(self, encoder: nn.Module, momentum: float) -> None:
        super().__init__()
        self.module = deepcopy(encoder).requires_grad_(False)
        self.momentum = momentum
        self.follows = False

    @torch.no_grad()
    def update(self, encoder: nn.Module) -> None:
        """Follow the query encoder by a step; become equal to it in the first one."""
        if self.follows:
            torch._foreach_lerp_(list(self.module.parameters()), list(encoder.parameters()), self.momentum)
        else:
            self.module.load_state_dict(encoder.state_dict())
            self.follows = True

    def forward(self, images: Tensor) -> Tensor:
        """Projections of images."""
        return self.module(images)

    def _load_from_state_dict(self, state_dict: dict, prefix: str, *args) -> None:
        super()._load_from_state_dict(state_dict, prefix, *args)
        # A checkpoint of a whole run has the copy; one of a backbone alone leaves it to the first update.
        self.follows = self.follows or any(name.startswith(f'{prefix}module.') for name in state_dict)
