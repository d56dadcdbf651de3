"""Measure embeddings without labels: spread, rank, alignment, uniformity, and signs of collapse."""

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import normalize


class EmbeddingMeasures(NamedTuple):
    """Measures of the embeddings of a batch, two views per image.

    Attributes:
        std: Mean of :func:`relative_std` over the dimensions; 1 for embeddings spread evenly over the sphere, 0 if all
            are equal.
        std_least: Its minimum over the dimensions; 0 shows a dead dimension.
        rank: :func:`effective_rank`, from 1 to the smaller of rows and dimensions.
        alignment: :func:`alignment`, from 0 to 4; 2 for views that have nothing in common.
        uniformity: :func:`uniformity`, from -8 to 0; about -4 for embeddings spread evenly over a sphere of many
            dimensions, 0 if all are equal.
    """

    std: float
    std_least: float
    rank: float
    alignment: float
    uniformity: float


def measure(view1: Tensor, view2: Tensor) -> EmbeddingMeasures:
    """Measure the projections of two views, row i of both from the same image, normalised or not.

    Shape:
        - view1, view2: (N, D), N at least 2, any floating type
    """
    first, second = (normalize(view.detach().float(), dim=1) for view in (view1, view2))
    both = torch.cat([first, second])
    std = relative_std(both)
    return EmbeddingMeasures(
        std=float(std.mean()),
        std_least=float(std.min()),
        rank=effective_rank(both),
        alignment=alignment(first, second),
        uniformity=(uniformity(first) + uniformity(second)) / 2,
    )


def relative_std(embeddings: Tensor) -> Tensor:
    """Return the standard deviation of every dimension times the square root of D (SimSiam, arXiv 2011.10566).

    Shape:
        - embeddings: (N, D), rows of length 1

    Returns:
        Shape (D,); about 1 everywhere if the embeddings are spread evenly over the sphere.
    """
    return embeddings.std(dim=0, unbiased=False) * math.sqrt(embeddings.shape[1])


def effective_rank(embeddings: Tensor) -> float:
    """Return exp of the entropy of the singular values as shares of their sum (Roy & Vetterli, EUSIPCO 2007).

    The embeddings are not centred, so that a collapse to one point has rank 1. NaN or infinity in them makes the rank
    NaN.

    Shape:
        - embeddings: (N, D)
    """
    if not embeddings.isfinite().all():
        return math.nan
    values = torch.linalg.svdvals(embeddings.double())
    shares = values / values.sum()
    return math.exp(float(torch.special.entr(shares).sum()))


def alignment(first: Tensor, second: Tensor) -> float:
    """Return the mean squared distance of the two views of an image (Wang & Isola, arXiv 2005.10242, alpha = 2)."""
    return float((first - second).square().sum(1).mean())


def uniformity(embeddings: Tensor) -> float:
    """Return the log of the mean of exp(-2 d^2) over all pairs of rows (Wang & Isola, arXiv 2005.10242, t = 2)."""
    rows = len(embeddings)
    similarities = (embeddings @ embeddings.T)[torch.triu_indices(rows, rows, 1).unbind()]
    # Rounding puts the cosine of equal rows a little beyond 1.
    return float(torch.logsumexp(4 * similarities.clamp(max=1) - 4, dim=0)) - math.log(rows * (rows - 1) / 2)


def collapse_signs(measures: EmbeddingMeasures, least_std: float, least_rank: float) -> list[str]:
    """List the signs of a collapse, one phrase each; an empty list without any.

    Args:
        measures: Measures of a batch.
        least_std: Smallest mean standard deviation that does not count as a sign, relative to an even spread over the
            sphere.
        least_rank: Smallest effective rank that does not count as a sign.
    """
    signs = []
    if not measures.std >= least_std:  # negated, so that NaN counts as a sign
        signs.append(f'standard deviation {measures.std:.3g} of an even spread, below {least_std:g}')
    if not measures.rank >= least_rank:
        signs.append(f'effective rank {measures.rank:.3g}, below {least_rank:g}')
    return signs
