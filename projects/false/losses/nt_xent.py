"""NT-Xent and InfoNCE, the losses of SimCLR and MoCo: the baselines that know nothing of false negatives."""

from mmengine.registry import MODELS
from torch import Tensor

from .base import ContrastiveLoss
from .comparison import Block
from .false_loss import calibrated_cross_entropy


@MODELS.register_module()
class NTXentLoss(ContrastiveLoss):
    """Normalised temperature-scaled cross entropy (SimCLR, arXiv 2002.05709, equation 1).

    With a queue it is the InfoNCE loss of MoCo (arXiv 1911.05722, equation 1): the same sum over other negatives.

    Args:
        temperature: tau > 0.
        gather, chunk_size: As of :class:`ContrastiveLoss`.

    Shape:
        As of :class:`ContrastiveLoss`.

    Raises:
        InputError: As of :class:`ContrastiveLoss`.
    """

    def __init__(self, temperature: float = 0.5, gather: bool = True, chunk_size: int | None = None) -> None:
        super().__init__(temperature, gather, chunk_size)

    def per_anchor(self, block: Block) -> Tensor:
        """L_i = logsumexp over the positive and Neg(i) of s_ij, less s_ip."""
        return calibrated_cross_entropy(block, None, 0.0)
