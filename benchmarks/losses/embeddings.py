"""Projections for which the released determination is certainly in one of its two regimes."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

TEMPERATURE, THRESHOLD, SENTINEL = 0.5, 0.9, 3.0
REGIMES = ('nearest', 'sentinel')
CLASSES = 10  # fewer in tiny batches, so that every class has two images
_BLOCK = 1024


class Embeddings(NamedTuple):
    """A batch to time losses on.

    Attributes:
        rows: Projections [view 1; view 2], not normalised, shape (2N, D), a leaf that requires its gradient.
        labels: Class of every image, shape (N,).
        known: What the rules read beside projections, by the argument of the loss: ``labels``; ``evidence``, shares of
            six kinds in every view, mostly that of its class, shape (2N, 6); ``place``, shape (2N, 5); ``features``,
            shape (2N, 512).
        pairs: Pairs that the released determination picks, the gate included.
    """

    rows: Tensor
    labels: Tensor
    known: dict[str, Tensor]
    pairs: int


def make_embeddings(
    regime: str, rows: int, dimension: int = 128, device: str = 'cpu', dtype: torch.dtype = torch.float32
) -> Embeddings:
    """Make images with two near views each; in `nearest` a class shares a direction, in `sentinel` no two images do.

    Args:
        regime: `nearest` or `sentinel`.
        rows: 2N, even.
        dimension: D.
        device: Where to put them.
        dtype: Of the projections.

    Raises:
        RuntimeError: The embeddings miss the regime, so that times would be labelled wrongly.
    """
    generator = torch.Generator().manual_seed(rows)
    images = torch.randn(rows // 2, dimension, generator=generator)
    labels = torch.arange(rows // 2) % max(1, min(CLASSES, rows // 4))
    if regime == 'nearest':
        images += 2 * torch.randn(CLASSES, dimension, generator=generator)[labels]
    views = [images + 0.1 * torch.randn(rows // 2, dimension, generator=generator) for _ in range(2)]
    values = torch.cat(views).to(device, dtype)
    closed, pairs = determined_count(values)
    everything = rows * (rows - 1) // 2 - rows // 2
    if closed or not (pairs == everything if regime == 'sentinel' else 0 < pairs <= rows):
        raise RuntimeError(f'{regime} is not hit at {rows} rows: {pairs} pairs, the gate closed for {closed} rows')
    evidence = 0.7 * F.one_hot(labels.repeat(2) % 6, 6) + 0.3 * torch.rand(rows, 6, generator=generator).softmax(1)
    along = 64 * torch.arange(rows) % 1024
    known = {
        'labels': labels,
        'evidence': evidence.to(dtype),
        'place': torch.stack([labels.repeat(2), along, along, along + 64, along + 64], 1).float(),
        'features': values.detach().repeat(1, -(-512 // dimension))[:, :512].cpu(),
    }
    on_device = {name: value.to(device) for name, value in known.items()}
    return Embeddings(values.requires_grad_(), on_device['labels'], on_device, pairs)


@torch.no_grad()
def determined_count(values: Tensor) -> tuple[int, int]:
    """Count rows with a closed gate, and pairs of the released rule by its definition, block by block."""
    unit = F.normalize(values.float(), dim=1)
    total, device = len(unit), values.device
    positive_cosines = (unit * unit.roll(total // 2, 0)).sum(1)
    column, least, count = torch.arange(total, device=device), SENTINEL, 0
    for start in range(0, total, _BLOCK):
        row = column[start : start + _BLOCK, None]
        positive = (row + total // 2) % total
        signals = torch.exp(unit[start : start + _BLOCK] @ unit.T / TEMPERATURE)
        distances = (signals - torch.exp(positive_cosines[row] / TEMPERATURE)).abs()
        candidate = (column > row) & (column != positive)
        smallest = distances[candidate].min().item() if candidate.any() else SENTINEL
        if smallest < least:
            least, count = smallest, 0
        if smallest == least < SENTINEL:
            count += int((distances[candidate] == least).sum())
    if least == SENTINEL:
        count = total * (total - 1) // 2 - total // 2
    return int((positive_cosines < THRESHOLD).sum()), count
