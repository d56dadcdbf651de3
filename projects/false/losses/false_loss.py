"""The FALSE loss: NT-Xent whose probable false negatives are moved, by a share, to the positives."""

from mmengine.registry import MODELS
from torch import Tensor

from projects.false.common.errors import check_range

from .calibration import calibrated_cross_entropy
from .comparison import Block
from .determined import DeterminedLoss
from .pairs import Pairs


@MODELS.register_module()
class FALSELoss(DeterminedLoss):
    """False-negative-aware contrastive loss (Zhang et al., IEEE GRSL 2022, arXiv 2211.07928).

    Args:
        temperature: tau > 0.
        confidence_weight: alpha in [0, 1], the share of a determined pair that counts as positive. 0 is NT-Xent.
        positive_threshold: T in [-1, 1]. An anchor's false negatives are determined only if the cosine of its own two
            views is at least T.
        determination: How false negatives are picked: a name, or ``dict(type=name, ...)`` with its arguments.
            ``anchor_nearest``, ``margin``, ``topk`` and ``mutual`` look at every anchor, ``batch_nearest`` and
            ``released`` (as the released code does it) at the batch, ``oracle`` at labels.
        gather, chunk_size: As of :class:`ContrastiveLoss`.
        confidence_floor: A cosine in [-1, 1] from which on the confidence in a pair grows, up to alpha for a pair as
            similar as the anchor's two views (:func:`.calibration.pair_confidence`). None: alpha for every pair.

    Shape:
        As of :class:`ContrastiveLoss`.

    Raises:
        InputError: An argument is out of range, the shapes do not fit, or the determination has no meaning with a
            queue (``released``, ``mutual``).

    Example:
        >>> import torch
        >>> from projects.false import FALSELoss
        >>> loss = FALSELoss(temperature=0.5, confidence_weight=0.9, positive_threshold=0.5)
        >>> value = loss(torch.randn(8, 128), torch.randn(8, 128))
        >>> value = loss(torch.randn(8, 128), torch.randn(8, 128), queue=torch.randn(64, 128))
    """

    def __init__(
        self,
        temperature: float = 0.5,
        confidence_weight: float = 1.0,
        positive_threshold: float = 0.9,
        determination: str | dict = 'anchor_nearest',
        gather: bool = True,
        chunk_size: int | None = None,
        confidence_floor: float | None = None,
    ) -> None:
        super().__init__(temperature, positive_threshold, determination, gather, chunk_size)
        check_range('confidence_weight (alpha) of FALSELoss', confidence_weight, 0, 1)
        if confidence_floor is not None:
            check_range('confidence_floor (a cosine) of FALSELoss', confidence_floor, -1, 1)
        self.confidence_weight = confidence_weight
        self.confidence_floor = confidence_floor

    def per_anchor(self, block: Block, pairs: Pairs) -> Tensor:
        """L_i, shape (B, 1)."""
        return calibrated_cross_entropy(block, pairs, self.confidence_weight, self.confidence_floor)

    def extra_repr(self) -> str:
        return f'{super().extra_repr()}, confidence_weight={self.confidence_weight}'
