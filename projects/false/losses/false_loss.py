"""The FALSE loss: NT-Xent whose probable false negatives are moved, by a share, to the positives."""

import torch
from mmengine.registry import MODELS
from torch import Tensor, nn

from .calibration import calibrated_cross_entropy
from .determination import build_determination
from .ranges import check_range, check_temperature
from .similarity import Similarities, in_batch_similarities


@MODELS.register_module()
class FALSELoss(nn.Module):
    """False-negative-aware contrastive loss (Zhang et al., IEEE GRSL 2022, arXiv 2211.07928).

    Args:
        temperature: tau > 0.
        confidence_weight: alpha in [0, 1], the share of a determined pair that counts as positive. 0 is NT-Xent.
        positive_threshold: T in [-1, 1]. An anchor's false negatives are determined only if the cosine of its own two
            views is at least T.
        determination: How false negatives are picked: a name, or ``dict(type=name, ...)`` with its arguments.
            ``anchor_nearest`` (per anchor) or ``released`` (as the released code does it).

    Shape:
        view1, view2: (N, D) projections, not normalised, row i of both from the same image. Output: scalar, float32
        (float64 for float64 input).

    Raises:
        InputError: An argument is out of range, or the views are not two (N, D) tensors of one shape.

    Example:
        >>> import torch
        >>> from projects.false import FALSELoss
        >>> loss = FALSELoss(temperature=0.5, confidence_weight=0.9, positive_threshold=0.5)
        >>> value = loss(torch.randn(8, 128), torch.randn(8, 128))
    """

    def __init__(
        self,
        temperature: float = 0.5,
        confidence_weight: float = 1.0,
        positive_threshold: float = 0.9,
        determination: str | dict = 'anchor_nearest',
    ) -> None:
        super().__init__()
        check_temperature('FALSELoss', temperature)
        check_range('confidence_weight (alpha) of FALSELoss', confidence_weight, 0, 1)
        check_range('positive_threshold (T, a cosine) of FALSELoss', positive_threshold, -1, 1)
        self.temperature = temperature
        self.confidence_weight = confidence_weight
        self.positive_threshold = positive_threshold
        self.determination = build_determination(determination)

    @torch.no_grad()
    def determined(self, similarities: Similarities) -> Tensor:
        """F after the gate c_ip >= T, shape (R, C), bool."""
        return self.determination(similarities) & (similarities.positive_cosines >= self.positive_threshold)

    def forward(self, view1: Tensor, view2: Tensor) -> Tensor:
        """Mean of L_i over the 2N anchors."""
        similarities = in_batch_similarities(view1, view2, self.temperature)
        determined = self.determined(similarities) if self.confidence_weight > 0 else None
        return calibrated_cross_entropy(similarities, determined, self.confidence_weight).mean()

    def extra_repr(self) -> str:
        return (
            f'temperature={self.temperature}, confidence_weight={self.confidence_weight}, '
            f'positive_threshold={self.positive_threshold}, determination={type(self.determination).__name__}'
        )
