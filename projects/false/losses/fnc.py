"""False Negative Cancellation: determined pairs leave the denominator, or attract like positives."""

from typing import Any

import torch
from mmengine.registry import MODELS
from torch import Tensor

from projects.false.common.errors import InputError

from .base import DeterminedLoss
from .comparison import Block
from .determinations.base import Pairs
from .linear_memory import logsumexp, logsumexp_and_picked


@MODELS.register_module()
class FNCLoss(DeterminedLoss):
    """False Negative Cancellation without support views (Huynh et al., WACV 2022, arXiv 2011.11765).

    The released FNC scores candidates with extra support views of the anchor; here they are compared with the anchor
    alone.

    Args:
        temperature: tau > 0.
        mode: ``attraction``, which the paper found better, or ``elimination``; see the functions of these names.
        positive_threshold: T in [-1, 1]; the default, -1, disables the gate, which FNC does not have.
        determination: The rule that picks false negatives, see :class:`.false_loss.FALSELoss`. None is FNC's own rule,
            the 10 most similar negatives above 0.7. Its pairs have no confidence: both modes treat them all alike.
        gather, chunk_size: See :class:`.base.ContrastiveLoss`.

    Shape:
        See :class:`.base.ContrastiveLoss`.

    Raises:
        InputError: An argument is out of range, the shapes do not fit, the determination is graded, or it has no
            meaning with a queue.
    """

    def __init__(
        self,
        temperature: float = 0.5,
        mode: str = 'attraction',
        positive_threshold: float = -1.0,
        determination: str | dict[str, Any] | None = None,
        gather: bool = True,
        chunk_size: int | None = None,
    ) -> None:
        determination = determination or dict(type='topk', k=10, floor=0.7)
        super().__init__(temperature, positive_threshold, determination, gather, chunk_size)
        if mode not in ('attraction', 'elimination'):
            raise InputError(f"mode of FNCLoss must be 'attraction' or 'elimination', got {mode!r}")
        graded = [rule.name for rule in self.determination.all_rules() if rule.graded and not rule.rules]
        if graded:
            raise InputError(
                f'FNCLoss treats all determined pairs alike, and determination {graded[0]} has graded=True; set '
                "graded=False, or take type='FALSELoss'"
            )
        self.mode = mode

    def per_determined_anchor(self, block: Block, pairs: Pairs) -> Tensor:
        """Return L_i, shape (B, 1)."""
        return (attraction if self.mode == 'attraction' else elimination)(block, pairs)

    def extra_repr(self) -> str:
        return f'{super().extra_repr()}, mode={self.mode}'


def elimination(block: Block, pairs: Pairs) -> Tensor:
    r"""Return L_i, shape (B, 1), with false negatives left out of the denominator.

    .. math:: L_i = \log \Big( e_{ip} + \sum_{j \in Neg(i) \setminus F(i)} e_{ij} \Big) - s_{ip}
    """
    kept = block.logits.masked_fill(pairs.mask(block.logits.shape[1]), -torch.inf)
    negatives = logsumexp(kept, bound=block.bound, overwrite=True)
    return torch.logaddexp(block.positive_logits, negatives) - block.positive_logits


def attraction(block: Block, pairs: Pairs) -> Tensor:
    r"""Return L_i, shape (B, 1), with false negatives attracted like the positive; they stay in the denominator.

    .. math:: L_i = \log \sum_{j \ne i} e_{ij} - \frac{1}{1 + |F(i)|} \sum_{j \in F(i) \cup \{p\}} s_{ij}
    """
    positive = block.positive_logits
    negatives, candidates = logsumexp_and_picked(block.logits, pairs.columns, block.bound, overwrite=True)
    attracted = positive + torch.where(pairs.chosen, candidates, 0).sum(1, keepdim=True)
    return torch.logaddexp(positive, negatives) - attracted / (1 + pairs.chosen.sum(1, keepdim=True))
