"""evidence and oracle: false negatives by what the views show, instead of by what the network makes of them."""

from collections.abc import Callable

import torch
from torch import Tensor

from projects.false.common.errors import InputError, check_count, check_range

from ..comparison import Block, Comparison
from .base import DETERMINATIONS, Determination, Pairs
from .search import largest

_TOLERANCE = 0.01  # of shares and codes; half precision rounds to 0.004


@DETERMINATIONS.register_module(name='evidence')
class Evidence(Determination):
    r"""Determine the negatives whose evidence overlaps that of their anchor.

    The evidence of a view is a distribution h over some kinds of ground, which the data loader finds without the
    network, for example shares of colours and textures (:class:`~projects.false.datasets.ViewAppearance`):

    .. math:: F(i) = \{ j \in Neg(i) : o_{ij} > overlap \}, \quad o_{ij} = \sum_c \min(h_{ic}, h_{jc})

    The rules that compare projections find what the network knows already. Independent evidence also finds pairs that
    the network still holds apart. This is our addition to FALSE.

    Evidence may also be a code, whose K entries in [0, 1] need not sum to 1, such as shares above thresholds
    (``ViewAppearance(code='quantiles')``). Codes are compared by distance:

    .. math:: o_{ij} = 1 - \frac{1}{K} \sum_k |h_{ik} - h_{jk}|

    Cost: one pass over the block per kind; with ``most``, a partial sort of every row.

    Args:
        overlap: In [0, 1].
        most: Largest number of pairs per anchor, at least 1, the most similar projections first. None takes all pairs.
        graded: Weigh every pair by its overlap, so that alpha_ij = alpha * o_ij. False moves every pair by the full
            alpha.
        compare: ``'overlap'`` for distributions, ``'distance'`` for codes.

    Raises:
        InputError: ``overlap`` is not in [0, 1], ``most`` is not a positive integer, ``compare`` is unknown, or the
            loss gets no evidence.
    """

    reads = ('evidence',)
    _way_out = (
        'put a step that finds it, such as ViewAppearance, and '
        "algorithm_keys=['evidence'] of PackInputs into the pipeline"
    )

    def __init__(
        self, overlap: float = 0.8, most: int | None = None, graded: bool = False, compare: str = 'overlap'
    ) -> None:
        check_range(f'overlap of determination {self.name}', overlap, 0, 1)
        if most is not None:
            check_count(f'most of determination {self.name}', most)
        if compare not in COMPARISONS:
            raise InputError(
                f'compare of determination {self.name} is {compare!r}; give one of {", ".join(COMPARISONS)}'
            )
        self.overlap, self.most, self.graded, self.compare = overlap, most, graded, compare

    def prepare(self, comparison: Comparison) -> Callable[[Block], Pairs]:
        """Return a function that maps a block to F(i), shape (B, C) or (B, most)."""
        given, others = self.read(comparison, self.reads[0], self._way_out)
        rows = _checked(given, self)
        columns = rows if others is given else _checked(others, self)

        def pairs(block: Block) -> Pairs:
            if rows.ndim == 1:
                overlaps = None
                shared = rows[block.anchors, None] == columns
            else:
                overlaps = COMPARISONS[self.compare](rows[block.anchors], columns)
                shared = overlaps > self.overlap
            if self.most is None:
                found = Pairs(shared & (block.logits > -torch.inf))
            else:
                logits, picked = largest(block.logits.masked_fill(~shared, -torch.inf), self.most)
                found = Pairs(logits > -torch.inf, picked)
            if not self.graded or overlaps is None:
                return found
            # Where nothing is known the overlap is NaN, which a weight of 0 would not remove.
            return found._replace(confidence=torch.where(found.chosen, found.of(overlaps), 0))

        return pairs


def _checked(evidence: Tensor, rule: Evidence) -> Tensor:
    """Return evidence in float32 at least; labels stay.

    Raises:
        InputError: An entry lies outside of [0, 1], or shares add up to more than 1. On a GPU this is not checked, as
            the host would wait for it.
    """
    if evidence.ndim == 1:
        return evidence
    exact = evidence.to(torch.promote_types(evidence.dtype, torch.float32))
    if exact.is_cuda or not exact.numel():
        return exact
    kind, total = ('shares of kinds', exact.sum(1)) if rule.compare == 'overlap' else ('codes', exact.new_zeros(1))
    if ((exact < -_TOLERANCE) | (exact > 1 + _TOLERANCE)).any() | (total > 1 + _TOLERANCE).any():
        raise InputError(
            f'{rule.reads[0]} of determination {rule.name} are {kind} in [0, 1]'
            f'{", which add up to 1" if rule.compare == "overlap" else ""}; got values from {exact.min():g} to '
            f'{exact.max():g} and a sum of {exact.sum(1).max():g}; divide them by their sum, or compare codes with '
            "compare='distance'"
        )
    return exact


@DETERMINATIONS.register_module(name='oracle')
class Oracle(Evidence):
    r"""Determine the negatives that share their anchor's land cover according to labels: for upper bounds only.

    Rows with a single label share their land cover if the labels are equal. Rows with shares of classes are
    compared as :class:`Evidence` compares evidence.

    Args:
        overlap, most, graded: See :class:`Evidence`. With ``most``, it finds the pairs that a rule based on
            similarities would find if it made no mistake.

    Raises:
        InputError: ``overlap`` is not in [0, 1], ``most`` is not a positive integer, or the loss gets no labels.
    """

    reads = ('labels',)
    _way_out = 'give every data sample its land_cover'

    def __init__(self, overlap: float = 0.8, most: int | None = None, graded: bool = False) -> None:
        super().__init__(overlap, most, graded)


def share_overlap(rows: Tensor, columns: Tensor) -> Tensor:
    r"""Return the overlap of every two distributions, :math:`\sum_c \min(h_{ic}, h_{jc})`.

    Args:
        rows: Shares of kinds, shape (R, kinds), each row sums to 1, or to 0 where nothing is known.
        columns: Shares of kinds as in ``rows``, shape (C, kinds).

    Returns:
        Shape (R, C), in [0, 1].
    """
    overlap, common = rows.new_zeros(len(rows), len(columns)), rows.new_empty(len(rows), len(columns))
    for row_share, column_share in zip(rows.T, columns.T, strict=True):  # avoids an array of rows x columns x kinds
        overlap += torch.minimum(row_share[:, None], column_share, out=common)
    return overlap


def code_agreement(rows: Tensor, columns: Tensor) -> Tensor:
    r"""Return the agreement of every two codes, :math:`1 - \frac{1}{K} \sum_k |h_{ik} - h_{jk}|`.

    Args:
        rows: Codes, entries in [0, 1], shape (R, K).
        columns: Codes, shape (C, K).

    Returns:
        Shape (R, C), in [0, 1]; NaN, which exceeds no threshold, where a code contains NaN.
    """
    return 1 - torch.cdist(rows, columns, p=1) / rows.shape[1]


COMPARISONS = {'overlap': share_overlap, 'distance': code_agreement}
"""How two pieces of evidence are compared, by the name that a config gives."""
