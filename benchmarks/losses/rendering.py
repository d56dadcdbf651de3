"""The released procedure, row by row and pair by pair, as a yardstick for the speed of matrices.

Written from the description in docs/method.md, not from the released code. It is as fast as this way of working allows:
one operation on a whole row where a row is at hand, and gradients of single entries that cost a row and not a matrix.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

SENTINEL = 3.0


def released_row_by_row(
    rows: Tensor, temperature: float = 0.5, confidence_weight: float = 1.0, positive_threshold: float = 0.9
) -> Tensor:
    """Compute the FALSE loss with the released determination, by loops.

    Args:
        rows: Projections [view 1 of all images; view 2 of all images], not normalised, shape (2N, D).
        temperature: tau.
        confidence_weight: alpha.
        positive_threshold: T.

    Returns:
        Mean over anchors of -log(pos / (pos + neg)), scalar.
    """
    total = len(rows)
    positive_of = [(i + total // 2) % total for i in range(total)]
    unit = F.normalize(rows, dim=1)
    cosines = unit @ unit.T
    positive_cosines = cosines[torch.arange(total), positive_of]
    positives = torch.exp(positive_cosines / temperature).unbind(0)
    signals = torch.exp(cosines / temperature).unbind(0)

    certain = (positive_cosines >= positive_threshold).tolist()
    others = torch.ones(total, total, dtype=torch.bool)  # Neg(i) without F(i)
    enhanced, weakened = [0.0] * total, [0.0] * total
    for i, j in determined_pairs(signals, positives, positive_of):
        if j in (i, positive_of[i]) or not certain[i]:
            continue
        signal = signals[i][j]
        enhanced[i] = enhanced[i] + confidence_weight * signal
        weakened[i] = weakened[i] + (1 - confidence_weight) * signal
        others[i, j] = False

    for i, positive in enumerate(positive_of):
        others[i, i] = others[i, positive] = False
    others = others.to(rows.device)
    shares = []
    for i in range(total):
        pos = positives[i] + enhanced[i]
        neg = (signals[i] * others[i]).sum() + weakened[i]
        shares.append(pos / (pos + neg))
    return -torch.log(torch.stack(shares)).mean()


@torch.no_grad()
def determined_pairs(signals: tuple[Tensor, ...], positives: tuple[Tensor, ...], positive_of: list[int]) -> list:
    """List all entries (i, j) of d that equal its smallest one, also those that are no negatives."""
    distances = torch.full((len(signals), len(signals)), SENTINEL, dtype=signals[0].dtype, device=signals[0].device)
    for i, signal in enumerate(signals):
        distances[i, i + 1 :] = (signal[i + 1 :] - positives[i]).abs()
        if positive_of[i] > i:
            distances[i, positive_of[i]] = SENTINEL
    return (distances == distances.min()).nonzero().tolist()
