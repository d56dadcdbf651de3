"""False-negative self-determination (FNSD): which negatives of an anchor are probably views of the same land cover.

A determination is a pure function from :class:`Similarities` to a boolean matrix F, F[i, j] True where row j is taken
for a false negative of anchor i. The gate c_ip >= T is not its business: the loss applies it last. Nothing here is
differentiated. Source: FALSE (arXiv 2211.07928) and its released code.
"""

import math

import torch
from mmengine.registry import Registry
from torch import Tensor

from projects.false.errors import InputError

from .ranges import check_range
from .similarity import Similarities

DETERMINATIONS = Registry('determination', scope='mmengine')

RELEASED_SENTINEL = 3.0
"""What the released code writes where it does not look; a distance in units of e_ij = exp(s_ij)."""


def log_distance(logits: Tensor, reference: Tensor) -> Tensor:
    """log |exp(logits) - exp(reference)|, without overflow at small temperatures.

    The logarithm keeps the order of the distances |e_ij - e_ip| that the method compares.

    Args:
        logits: s_ij, shape (R, C).
        reference: s_ip, shape (R, 1).

    Returns:
        Shape (R, C); -inf where the two are equal.
    """
    larger = torch.maximum(logits, reference)
    return larger + torch.log(-torch.expm1(-(logits - reference).abs()))


@torch.no_grad()
def released(similarities: Similarities) -> Tensor:
    """The rule of the released code, with both of its regimes.

    d_ij = |e_ij - e_ip| for the candidates j > i and the constant 3 everywhere else; all entries equal to min(d) that
    are negatives are determined. Usually that is one pair, in one direction. Where every candidate is further than 3
    from its positive, the constant itself is the minimum and the whole lower triangle is determined.

    Returns:
        F, shape (R, C), bool. Depends on the order of the rows.

    Raises:
        InputError: The columns are a queue.
    """
    if similarities.candidates is None:
        raise InputError(
            'determination released compares the rows of a batch by their order, which a queue does not have; '
            'choose anchor_nearest for FALSEMoCo'
        )
    distance = log_distance(similarities.logits, similarities.positive_logits)
    distance = torch.where(similarities.candidates, distance, math.log(RELEASED_SENTINEL))
    return (distance == similarities.minimum(distance.min())) & similarities.negatives


@torch.no_grad()
def anchor_nearest(similarities: Similarities, k: int = 1, floor: float | None = None) -> Tensor:
    """For every anchor the ``k`` negatives whose e_ij is nearest to e_ip.

    Args:
        similarities: Rows against columns.
        k: How many negatives to determine for an anchor, at least 1; fewer where fewer exist.
        floor: Only negatives with c_ij >= floor are determined, in [-1, 1]; None for no floor.

    Returns:
        F, shape (R, C), bool. Invariant to permuting images, swapping views and rotating the embedding space.
    """
    eligible = similarities.negatives
    if floor is not None:
        eligible = eligible & (similarities.logits * similarities.temperature >= floor)
    distance = log_distance(similarities.logits, similarities.positive_logits).masked_fill_(~eligible, torch.inf)
    nearest = distance.topk(min(k, distance.shape[1]), dim=1, largest=False).indices
    return torch.zeros_like(eligible).scatter_(1, nearest, True) & eligible


@DETERMINATIONS.register_module(name='released')
class Released:
    """:func:`released` as a registered module."""

    def __call__(self, similarities: Similarities) -> Tensor:
        return released(similarities)


@DETERMINATIONS.register_module(name='anchor_nearest')
class AnchorNearest:
    """:func:`anchor_nearest` as a registered module.

    Raises:
        InputError: ``k`` is not a positive integer or ``floor`` is outside [-1, 1].
    """

    def __init__(self, k: int = 1, floor: float | None = None) -> None:
        if not isinstance(k, int) or k < 1:
            raise InputError(f'k of determination anchor_nearest must be an integer of at least 1, got {k!r}')
        if floor is not None:
            check_range('floor (a cosine) of determination anchor_nearest', floor, -1, 1)
        self.k, self.floor = k, floor

    def __call__(self, similarities: Similarities) -> Tensor:
        return anchor_nearest(similarities, self.k, self.floor)


def build_determination(spec: str | dict):
    """Build a determination from its name or ``dict(type=name, ...)``.

    Raises:
        InputError: The name is unknown or an argument does not belong to it.
    """
    if not isinstance(spec, str | dict):
        raise InputError(f'determination is a name or a dict(type=name, ...), got {spec!r}')
    arguments = {'type': spec} if isinstance(spec, str) else dict(spec)
    name = arguments.pop('type', None)
    known = sorted(DETERMINATIONS.module_dict)
    if name not in known:
        raise InputError(f'unknown determination {name!r}; choose one of {", ".join(known)}')
    try:
        return DETERMINATIONS.module_dict[name](**arguments)
    except TypeError as error:
        raise InputError(f'determination {name!r} does not take these arguments: {arguments} ({error})') from error
