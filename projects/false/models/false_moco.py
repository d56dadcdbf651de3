"""FALSE in its MoCo v2 form: a momentum encoder for keys, negatives from a queue.

A step goes through the parts of this module from top to bottom. MoCo is arXiv 1911.05722, MoCo v2 arXiv 2003.04297.
"""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import torch
import torch.nn.functional as F
from mmengine.dist import all_gather, broadcast, get_rank, get_world_size
from mmengine.registry import MODELS
from torch import Tensor, nn

from projects.false.common.errors import InputError, check_count, is_number
from projects.false.datasets.views.color_device import to_device
from projects.false.losses.determinations import Determination
from projects.false.losses.distributed import gather_together

from .false import SAMPLE_FIELDS, ContrastiveAlgorithm, known_of_views, two_views

PLACE = 5  # raster, top, left, bottom and right


@MODELS.register_module()
class FALSEMoCo(ContrastiveAlgorithm):
    """Contrastive pretraining with a momentum encoder and a queue (MoCo v2, arXiv 2003.04297).

    The head decides the method: with :class:`~projects.false.losses.FALSELoss` it is FALSE, with
    :class:`~projects.false.losses.NTXentLoss` plain MoCo v2. The queue remembers the image of every key. In both
    methods, earlier keys of a query's own image and slots that were never filled are neither negatives nor in the
    denominator.

    Args:
        backbone, neck, head, data_preprocessor, init_cfg: See :class:`.false.ContrastiveAlgorithm`.
        queue_len: K, a multiple of the global batch and at most a quarter of the images.
        feat_dim: D, length of a projection.
        momentum: Share of the query encoder in every update of the key encoder, in (0, 1); MoCo writes 0.001 as
            m = 0.999.
        key_splits: Number of shuffled sub-batches in which a single process encodes the keys; several processes
            shuffle them across processes instead.
        queue_kinds: Kinds of evidence, or classes, that the queue remembers of every key; determinations ``evidence``
            and ``oracle`` need it. Places are remembered as well where the determination reads them.

    Shape:
        See :class:`.false.ContrastiveAlgorithm`. ``data_samples`` carry the index of their image as ``sample_idx``. In
        a ConcatDataset the index counts within a part, so that a few keys of other images with the same index are also
        left out.

    Raises:
        InputError: An argument is out of range, the determination has no meaning with a queue, or the data samples
            have no ``sample_idx``.
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
        queue_kinds: int = 0,
        data_preprocessor: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(backbone, neck, head, data_preprocessor, init_cfg)
        if not is_number(momentum) or not 0 < momentum < 1:
            raise InputError(f'momentum of FALSEMoCo must be in (0, 1), got {momentum!r}; MoCo v2 uses 0.001')
        check_count('key_splits of FALSEMoCo', key_splits)
        if isinstance(queue_kinds, bool) or not isinstance(queue_kinds, int) or queue_kinds < 0:
            raise InputError(f'queue_kinds of FALSEMoCo must be an integer of at least 0, got {queue_kinds!r}')
        determination = getattr(getattr(self.head, 'loss_module', None), 'determination', None)
        if isinstance(determination, Determination):
            determination.check_queue()
        shares = [name for name in self.reads if name != 'place']
        if shares and queue_kinds == 0:
            raise InputError(
                f'the determination reads {shares[0]}, which the queue has to remember of its keys; set '
                'model.queue_kinds, now 0, to the number of its kinds (clusters in appearance.json, or classes)'
            )
        self.key_encoder = MomentumEncoder(self._query_encoder(), momentum)
        self.remembered = {name: PLACE if name == 'place' else queue_kinds for name in self.reads}
        # The width of the queue must match on loading, so ``queue_kinds`` sets it even if the determination reads none.
        self.queue = KeyQueue(queue_len, feat_dim, sum(self.remembered.values()) or queue_kinds)
        self.key_splits = key_splits

    def _query_encoder(self) -> nn.Sequential:
        return nn.Sequential(self.backbone, self.neck)

    def loss(self, views: list[Tensor], data_samples: list[Any] | None = None) -> dict[str, Tensor]:
        """Compare queries (view 1) with their keys (view 2) and the queue, then enqueue the keys of all processes."""
        first, second = two_views(views)
        # Copy from host to device first: once the network runs, copies would have to wait for it.
        images = to_device(image_indices(data_samples, len(first)), first.device)
        known = self._known(data_samples, first.device)
        order = draw_order(len(second), second.device)
        self.key_encoder.update(self._query_encoder())
        query = self.neck(self.backbone(first))
        key, all_keys = encode_shuffled(self.key_encoder, second, order, self.key_splits)
        others: dict[str, Tensor] = {}
        of_own_keys = [images]
        if known is not None:
            of_queries, of_keys = known.split(len(first))
            for prefix, rows in (('', of_queries), ('queue_', self.queue.known.clone())):
                parts = rows.split(list(self.remembered.values()), dim=1)
                others |= {f'{prefix}{name}': part for name, part in zip(self.remembered, parts, strict=True)}
            of_own_keys.append(of_keys)
        losses = self.head.loss(
            query, key, queue=self.queue.keys.clone(), excluded=self.queue.excluded(images), **others
        )
        self.queue.enqueue(all_keys, *gather_together(*of_own_keys))
        return losses

    def _known(self, data_samples: list[Any] | None, device: torch.device) -> Tensor | None:
        """Return what the determination reads of both views, shape (2N, all kinds); None if it reads nothing."""
        parts = []
        for name, kinds in self.remembered.items():
            known = known_of_views(data_samples, name)
            if known is not None and known.ndim == 1:
                known = shares_of_labels(known, kinds).repeat(2, 1)
            if known is None or known.ndim != 2 or known.shape[1] != kinds:
                got = 'nothing' if known is None else f'shape {tuple(known.shape[1:])}'
                what = f'{kinds} numbers' if name == 'place' else f'{kinds} shares of each (model.queue_kinds)'
                raise InputError(
                    f"the determination reads {name} of both views, {what}, from the data samples' "
                    f'{SAMPLE_FIELDS[name]}, and got {got}; put the step that finds them into the pipeline'
                    f'{"" if name == "place" else ", or set model.queue_kinds to their number"}'
                )
            parts.append(known.float())
        return to_device(torch.cat(parts, dim=1), device) if parts else None


def shares_of_labels(labels: Tensor, kinds: int) -> Tensor:
    """Turn one label per image into shares of kinds: 1 for its own kind; a negative label has no share at all.

    Args:
        labels: Shape (N,), on the CPU.
        kinds: Number of labels.

    Returns:
        Shape (N, kinds), each row with a single 1, or of zeros.

    Raises:
        InputError: A label is not below ``kinds``.
    """
    largest = int(labels.max())
    if largest >= kinds:
        raise InputError(
            f'an image has the label {largest} and the queue remembers {kinds} kinds; set model.queue_kinds to the '
            'number of classes'
        )
    return (labels[:, None] == torch.arange(kinds, device=labels.device)).float()


def image_indices(data_samples: list[Any] | None, count: int) -> Tensor:
    """Read the index of every sample's image in the data set, shape (N,).

    Args:
        data_samples: The data samples of a batch.
        count: N, images in the batch.

    Raises:
        InputError: There are not as many data samples as images, or one has no ``sample_idx``.
    """
    indices = [getattr(sample, 'sample_idx', None) for sample in data_samples or ()]
    known = [getattr(index, 'value', index) for index in indices if index is not None]  # mmselfsup: InstanceData
    if len(indices) != count or len(known) != count:
        raise InputError(
            "the queue of FALSEMoCo needs the index of every image; end the pipeline with dict(type='PackInputs') "
            "whose meta_keys hold 'sample_idx' (in mmselfsup: PackSelfSupInputs with algorithm_keys=['sample_idx'])"
        )
    return torch.tensor([int(index) for index in known])


class MomentumEncoder(nn.Module):
    r"""The key encoder, which follows the query encoder without a gradient.

    .. math:: \theta_k \leftarrow (1 - m)\, \theta_k + m\, \theta_q, \quad m = momentum

    The first update copies the query encoder, because its weights are initialised or loaded after this module is built.
    The copy has its own batch normalisation statistics. Unlike MMEngine's averaged model, which counts its updates
    on the device and waits for it twice per step, this one never waits.

    Args:
        encoder: The query encoder.
        momentum: m, the share of the query encoder, in (0, 1).
    """

    def __init__(self, encoder: nn.Module, momentum: float) -> None:
        super().__init__()
        self.module = deepcopy(encoder).requires_grad_(False)
        self.momentum = momentum
        self.follows = False

    @torch.no_grad()
    def update(self, encoder: nn.Module) -> None:
        """Move one step towards the query encoder; the first call copies it."""
        if self.follows:
            torch._foreach_lerp_(list(self.module.parameters()), list(encoder.parameters()), self.momentum)
        else:
            self.module.load_state_dict(encoder.state_dict())
            self.follows = True

    def forward(self, images: Tensor) -> Tensor:
        """Return the projections of images."""
        return self.module(images)

    def _load_from_state_dict(self, state_dict: dict[str, Tensor], prefix: str, *args: Any) -> None:
        super()._load_from_state_dict(state_dict, prefix, *args)
        # A training checkpoint holds the copy. After loading a backbone alone, the first update makes it.
        self.follows = self.follows or any(name.startswith(f'{prefix}module.') for name in state_dict)


def draw_order(count: int, device: torch.device) -> Tensor:
    """Draw the order in which the images of all processes are encoded, the same on every process.

    Args:
        count: N, images per process.
        device: Device of the images.

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
    """Encode images in a shuffled order, so that batch statistics do not give away which key belongs to a query.

    Args:
        encode: Turns images (B, C, H, W) into projections (B, D).
        images: This process's images, shape (N, C, H, W), N the same on all W processes.
        order: The permutation of :func:`draw_order`, shape (WN,).
        splits: Number of sub-batches on a single process, at least 1; fewer if one would hold a single image.
            Several processes ignore it: each of them encodes N images of the shuffled batch.

    Returns:
        Projections of this process's images, (N, D), and those of all processes, (WN, D), rank by rank.
    """
    n, rank = len(images), get_rank()
    if get_world_size() == 1:
        parts = images[order].tensor_split(max(1, min(splits, n // 2)))
        shuffled = torch.cat([encode(part) for part in parts])
    else:
        mine = order[rank * n : (rank + 1) * n]
        if torch.is_autocast_enabled(images.device.type):  # the encoder's first layer rounds them to this type anyway
            images = images.to(torch.get_autocast_dtype(images.device.type))
        shuffled = torch.cat(all_gather(encode(torch.cat(all_gather(images))[mine]).contiguous()))
    projections = torch.empty_like(shuffled)
    projections[order] = shuffled
    return projections[rank * n : (rank + 1) * n], projections


class KeyQueue(nn.Module):
    """A first-in, first-out queue of K keys and the indices of their images, saved with every checkpoint.

    All processes enqueue the same keys, so that their queues stay equal. Nothing here waits for the device.

    Args:
        length: K, at least 1.
        dim: D, length of a key, at least 1.
        kinds: Numbers known of every key, such as its evidence; 0 remembers nothing.

    Raises:
        InputError: ``length`` or ``dim`` is not a positive integer.
    """

    keys: Tensor
    known: Tensor
    image_indices: Tensor
    pointer: Tensor

    def __init__(self, length: int, dim: int, kinds: int = 0) -> None:
        super().__init__()
        if not isinstance(kinds, int) or isinstance(kinds, bool) or kinds < 0:
            raise InputError(f'queue_kinds of FALSEMoCo must be an integer of at least 0, got {kinds!r}')
        for name, value in (('queue_len (K)', length), ('feat_dim (D)', dim)):
            check_count(f'{name} of FALSEMoCo', value)
        self.register_buffer('keys', torch.zeros(length, dim))
        if kinds:
            self.register_buffer('known', torch.zeros(length, kinds))
        self.register_buffer('image_indices', torch.full((length,), -1))
        self.register_buffer('pointer', torch.zeros(1, dtype=torch.long))

    def __len__(self) -> int:
        return len(self.keys)

    def excluded(self, image_indices: Tensor) -> Tensor:
        """Find the slots that are not negatives of these images.

        Args:
            image_indices: Index of every query's image in the data set, shape (N,).

        Returns:
            True where a slot holds an earlier key of the query's own image, or was never filled, bool, shape (N, K).
        """
        return (self.image_indices == image_indices[:, None]) | (self.image_indices < 0)

    @torch.no_grad()
    def enqueue(self, keys: Tensor, image_indices: Tensor, known: Tensor | None = None) -> None:
        """Replace the oldest keys.

        Args:
            keys: Projections, not normalised, shape (B, D) with B at most K.
            image_indices: Index of every key's image, shape (B,).
            known: What is known of every key, shape (B, kinds); None without kinds.

        Raises:
            InputError: There are more keys than slots.
        """
        if len(keys) > len(self):
            raise InputError(
                f'queue_len {len(self)} is smaller than the global batch of {len(keys)}; '
                'set model.queue_len to a multiple of it'
            )
        slots = (self.pointer + torch.arange(len(keys), device=self.pointer.device)) % len(self)
        self.keys[slots] = F.normalize(keys.float(), dim=1)
        if known is not None:
            self.known[slots] = known.to(self.known.dtype)
        self.image_indices[slots] = image_indices
        self.pointer.copy_((self.pointer + len(keys)) % len(self))
