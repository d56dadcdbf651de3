"""The queue of past keys (MoCo, arXiv 1911.05722), which remembers the image of every key."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from projects.false.errors import InputError


class KeyQueue(nn.Module):
    """First in, first out: K keys and the indices of their images, saved with every checkpoint.

    All processes enqueue the same keys, so that their queues stay equal. Nothing here waits for the device.

    Args:
        length: K, at least 1.
        dim: D, length of a key.

    Raises:
        InputError: ``length`` or ``dim`` is no positive integer.
    """

    def __init__(self, length: int, dim: int) -> None:
        super().__init__()
        for name, value in (('queue_len (K)', length), ('feat_dim (D)', dim)):
            if not isinstance(value, int) or value < 1:
                raise InputError(f'{name} of FALSEMoCo must be a positive integer, got {value!r}')
        self.register_buffer('keys', torch.zeros(length, dim))
        self.register_buffer('image_indices', torch.full((length,), -1))
        self.register_buffer('pointer', torch.zeros(1, dtype=torch.long))

    def __len__(self) -> int:
        return len(self.keys)

    def excluded(self, image_indices: Tensor) -> Tensor:
        """Places that are no negatives of these images.

        Args:
            image_indices: Index of every query's image in the data set, shape (N,).

        Returns:
            True where a place holds an earlier key of the query's own image, or was never filled, shape (N, K).
        """
        return (self.image_indices == image_indices[:, None]) | (self.image_indices < 0)

    @torch.no_grad()
    def enqueue(self, keys: Tensor, image_indices: Tensor) -> None:
        """Replace the oldest keys.

        Args:
            keys: Projections, not normalised, shape (B, D) with B at most K.
            image_indices: Index of every key's image, shape (B,).

        Raises:
            InputError: There are more keys than places.
        """
        if len(keys) > len(self):
            raise InputError(
                f'queue_len {len(self)} is smaller than the global batch of {len(keys)}; '
                'set model.queue_len to a multiple of it'
            )
        places = (self.pointer + torch.arange(len(keys), device=self.pointer.device)) % len(self)
        self.keys[places] = F.normalize(keys.float(), dim=1)
        self.image_indices[places] = image_indices
        self.pointer.copy_((self.pointer + len(keys)) % len(self))
