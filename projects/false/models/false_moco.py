"""FALSE in its MoCo v2 form: a momentum encoder for keys, negatives from a queue."""

import torch
from mmengine.dist import all_gather
from mmengine.registry import MODELS
from torch import Tensor, nn

from projects.false.errors import InputError

from .contrastive import ContrastiveAlgorithm
from .key_queue import KeyQueue
from .momentum_encoder import MomentumEncoder
from .shuffled_encoding import draw_order, encode_shuffled


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
