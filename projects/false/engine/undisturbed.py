"""Looking at a model in the middle of its training without a trace."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from mmengine.dist import broadcast, get_world_size
from torch import nn

from projects.false.common.random_state import random_state, set_random_state


@contextmanager
def undisturbed(model: nn.Module) -> Iterator[None]:
    """Put a model into evaluation inside the block, without gradients, and leave everything as it was found.

    The mode of every module comes back one by one, since some may be in evaluation during training, and so do the
    states of all random generators. In evaluation, batch statistics are read and not written. On several processes,
    each of which has running statistics of its own, all see those of the first, which are what a checkpoint has.

    Args:
        model: Its weights must not be changed inside the block.
    """
    modes = {module: module.training for module in model.modules()}
    state = random_state()
    buffers = list(model.buffers()) if get_world_size() > 1 else []
    own = [buffer.clone() for buffer in buffers]
    try:
        for buffer in buffers:
            broadcast(buffer)
        model.eval()
        with torch.no_grad():
            yield
    finally:
        for module, training in modes.items():
            module.training = training
        for buffer, value in zip(buffers, own, strict=True):
            buffer.copy_(value)
        set_random_state(state)
