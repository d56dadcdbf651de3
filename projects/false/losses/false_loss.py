"""The FALSE loss: NT-Xent whose probable false negatives are moved, by a share, to the positives."""

import torch
from mmengine.registry import MODELS
from torch import Tensor

from .calibration import calibrated_cross_entropy
from .contrastive import ContrastiveLoss
from .determination import build_determination
from .ranges import check_range
from .similarity import Similarities


@MODELS.register_module()
class FALSELoss(ContrastiveLoss):
    """False-negative-aware contrastive loss (Zhang et al., IEEE GRSL 2022, arXiv 2211.07928).

    Args:
        temperature: tau > 0.
        confidence_weight: alpha in [0, 1], the share of a determined pair that counts as positive. 0 is NT-Xent.
        positive_threshold: T in [-1, 1]. An anchor's false negatives are determined only if the cosine of its own two
            views is at least T.
        determination: How false negatives are picked: a name, or ``dict(type=name, ...)`` with its arguments.
            ``anchor_nearest`` (per anchor) or ``released`` (as the released code does it).
        gather: As of :class:`ContrastiveLoss`: compare with the views of all processes.

    Shape:
        As of :class:`ContrastiveLoss`.

    Raises:
        InputError: An argument is out of range, the shapes do not fit, or the determination has no meaning with a
            queue (``released``).

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
    ) -> None:
        super().__init__(temperature, gather)
        check_range('confidence_weight (alpha) of FALSELoss', confidence_weight, 0, 1)
        check_range('positive_threshold (T, a cosine) of FALSELoss', positive_threshold, -1, 1)
        self.confidence_weight = confidence_weight
        self.positive_threshold = positive_threshold
        self.determination = build_determination(determination)

    @torch.no_grad()
    def determined(self, similarities: Similarities) -> Tensor:
        """F after the gate c_ip >= T, shape (R, C), bool."""
        return self.determination(similarities) & (similarities.positive_cosines >= self.positive_threshold)

    def per_anchor(self, similarities: Similarities) -> Tensor:
        """L_i, shape (R,)."""
        determined = self.determined(similarities) if self.confidence_weight > 0 else None
        return calibrated_cross_entropy(similarities, determined, self.confidence_weight)

    def extra_repr(self) -> str:
        return (
            f'temperature={self.temperature}, confidence_weight={self.confidence_weight}, '
            f'positive_threshold={self.positive_threshold}, determination={type(self.determination).__name__}'
        )
