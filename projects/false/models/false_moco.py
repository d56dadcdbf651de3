"""FALSE in its MoCo v2 form: a momentum encoder for keys, negatives from a queue.

MoCo is arXiv 1911.05722, MoCo v2 arXiv 2003.04297."""

from collections.abc import Callable
from copy import deepcopy

import torch
import torch.nn.functional as F
from mmengine.dist import all_gather, broadcast, get_rank, get_world_size
from mmengine.registry import MODELS
from torch import Tensor, nn

from projects.false.common.errors import InputError

from .false import ContrastiveAlgorithm


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


def draw_order(count: int, device: torch.device) -> Tensor:
    """Draw the order in which the images of all processes are encoded, the same on all of them.

    Args:
        count: N, images of a process.
        device: Where the images are.

    Returns:
        A permutation, shape (WN,).
    """
    order = torch.randperm(count * get_world_size(), device=device)
    if get_world_size() > 1:
        broadcast(order)
    return order


@torch.no_grad()
def encode_shuffled(
    encode: Callable[[Tensor], Tensor], images: Tensor, order: Tensor, splits: int
) -> tuple[Tensor, Tensor]:
    """Encode images in an order that batch statistics cannot be matched with.

    Args:
        encode: From images (B, C, H, W) to projections (B, D).
        images: This process's images, shape (N, C, H, W), N the same on all W processes.
        order: Of :func:`draw_order`, shape (WN,).
        splits: On one process: how many sub-batches the shuffled batch is encoded in, fewer where one would hold a
            single image. Without meaning on several processes, where each encodes N images.

    Returns:
        Projections of this process's images, (N, D), and those of all processes, (WN, D), rank by rank.
    """
    n, rank = len(images), get_rank()
    if get_world_size() == 1:
        parts = images[order].tensor_split(max(1, min(splits, n // 2)))
        shuffled = torch.cat([encode(part) for part in parts])
    else:
        mine = order[rank * n : (rank + 1) * n]
        shuffled = torch.cat(all_gather(encode(torch.cat(all_gather(images))[mine]).contiguous()))
    everybody = torch.empty_like(shuffled)
    everybody[order] = shuffled
    return everybody[rank * n : (rank + 1) * n], everybody


@MODELS.register_module()
class FALSEMoCo(ContrastiveAlgorithm):
    """Contrastive pretraining with a momentum encoder and a queue (MoCo v2, arXiv 2003.04297).

    The head decides the method: with :class:`~projects.false.losses.FALSELoss` it is FALSE, with
    :class:`~projects.false.losses.NTXentLoss` plain MoCo v2. The queue remembers which image a key is of: earlier keys
    of a query's own image, and places that were never filled, are neither negatives nor in the denominator, for both.

    Args:
        backbone, neck, head, data_preprocessor, init_cfg: As of :class:`ContrastiveAlgorithm`.
        queue_len: K, a multiple of the global batch and at most a quarter of the images.
        feat_dim: D, length of a projection.
        momentum: Share of the query encoder in every update of the key encoder, in (0, 1); 0.001 is what MoCo writes
            as m = 0.999.
        key_splits: On one process, how many shuffled sub-batches the keys are encoded in; on several they are shuffled
            across processes.

    Shape:
        As of :class:`ContrastiveAlgorithm`. ``data_samples`` carry the index of their image as ``sample_idx``; in a
        ConcatDataset it counts within a part, so that a few keys of images with the same index are left out, too.

    Raises:
        InputError: An argument is out of range, or the data samples have no ``sample_idx``.
    """

    def __init__(
        self,
        backbone: dict,
        neck: dict,
        head: dict,
        queue_len: int = 4096,
        feat_dim: int = 128,
        momentum: float = 0.001,
        key_splits: int = 8,
        data_preprocessor: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(backbone, neck, head, data_preprocessor, init_cfg)
        if not 0 < momentum < 1:
            raise InputError(f'momentum of FALSEMoCo must be in (0, 1), got {momentum!r}; MoCo v2 has 0.001')
        if not isinstance(key_splits, int) or key_splits < 1:
            raise InputError(f'key_splits of FALSEMoCo must be a positive integer, got {key_splits!r}')
        determination = getattr(getattr(self.head, 'loss_module', None), 'determination', None)
        if getattr(determination, 'in_batch_only', False):
            raise InputError(
                f'determination {type(determination).__name__} compares the rows of a batch with one another, '
                'which has no meaning with a queue; choose anchor_nearest, batch_nearest, margin or topk for FALSEMoCo'
            )
        self.key_encoder = MomentumEncoder(self._query_encoder(), momentum)
        self.queue = KeyQueue(queue_len, feat_dim)
        self.key_splits = key_splits

    def _query_encoder(self) -> nn.Sequential:
        return nn.Sequential(self.backbone, self.neck)

    def loss(self, views: list[Tensor], data_samples: list | None = None) -> dict[str, Tensor]:
        """Compare queries (view 1) with their keys (view 2) and the queue, then enqueue the keys of all processes."""
        first, second = views
        # What goes from the host to the device goes before the network is at work, so that nothing waits for it.
        images = image_indices(data_samples, len(first)).to(first.device)
        order = draw_order(len(second), second.device)
        self.key_encoder.update(self._query_encoder())
        query = self.neck(self.backbone(first))
        key, everybodys_keys = encode_shuffled(self.key_encoder, second, order, self.key_splits)
        losses = self.head.loss(query, key, queue=self.queue.keys.clone(), excluded=self.queue.excluded(images))
        self.queue.enqueue(everybodys_keys, torch.cat(all_gather(images)))
        return losses


def image_indices(data_samples: list | None, count: int) -> Tensor:
    """Index of every sample's image in the data set, shape (N,).

    Raises:
        InputError: There are no data samples, or they do not say.
    """
    found = [getattr(sample, 'sample_idx', None) for sample in data_samples or ()]
    found = [getattr(index, 'value', index) for index in found]  # mmselfsup packs it as InstanceData
    if len(found) != count or any(index is None for index in found):
        raise InputError(
            "the queue of FALSEMoCo needs the index of every image; end the pipeline with dict(type='PackInputs') "
            "whose meta_keys hold 'sample_idx' (in mmselfsup: PackSelfSupInputs with algorithm_keys=['sample_idx'])"
        )
    return torch.tensor([int(index) for index in found])
