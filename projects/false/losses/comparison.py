"""Compare projections: the logits of every anchor with its positive and its negatives, block by block.

Negatives come from the batch, from other processes, or from a queue.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from projects.false.common.errors import InputError

from .distributed import gather_views, process_count, process_rank

KNOWN = ('labels', 'evidence', 'place', 'features')
"""What a comparison may know of its views beside their projections."""

SHORTEST = 1e-6
"""Length up to which a projection has no direction, so that it gets no gradient."""


@dataclass(frozen=True)
class Block:
    """A block of anchors of a comparison, against all columns.

    Attributes:
        logits: s_ij = c_ij / tau where column j is in Neg(i), -inf elsewhere, shape (B, C).
        positive_logits: s_ip, shape (B, 1).
        anchors: Slice of this process's anchors.
        first: Index of the first anchor among all rows of the batch, or among the queries if there is a queue.
        comparison: The comparison that the block belongs to.
    """

    logits: Tensor
    positive_logits: Tensor
    anchors: slice
    first: int
    comparison: 'Comparison'

    @property
    def temperature(self) -> float:
        """tau."""
        return self.comparison.temperature

    @property
    def bound(self) -> float:
        """1 / tau, the largest absolute value of a logit."""
        return 1 / self.comparison.temperature


@dataclass(frozen=True)
class Comparison:
    """Anchors, the columns that they are compared with, and their positives.

    Attributes:
        rows: Unit rows of this process's anchors, shape (R, D), float32 or float64.
        columns: Unit rows of all processes or of the queue, shape (C, D).
        positive_logits: s_ip, shape (R, 1).
        temperature: tau.
        images: N, images of the batch over all processes; None with a queue.
        runs: Where this process's anchors lie among the rows of the batch, as (first anchor, its row, length).
        excluded: True where a queue slot is not a negative, shape (R, C) or (C,); None excludes nothing.
        labels: Labels of the rows, shape (R,), and of the columns, shape (C,), or shares of classes, shapes
            (R, classes) and (C, classes); None without labels.
        evidence: Evidence of the rows, shape (R, kinds), and of the columns, shape (C, kinds): what each view shows,
            found without the network; None without evidence.
        place: Where the rows, shape (R, 5), and the columns, shape (C, 5), lie: number of their raster, then top, left,
            bottom and right in its pixels; None without places.
        features: Features of the backbone of the rows, shape (R, channels), and of the columns, shape (C, channels);
            None without them.
        distributed: True if the anchors of the batch are distributed over several processes.
        chunk_size: Anchors per block; None chooses.
    """

    rows: Tensor
    columns: Tensor
    positive_logits: Tensor
    temperature: float
    images: int | None = None
    runs: tuple[tuple[int, int, int], ...] = ()
    excluded: Tensor | None = None
    labels: tuple[Tensor, Tensor] | None = None
    evidence: tuple[Tensor, Tensor] | None = None
    place: tuple[Tensor, Tensor] | None = None
    features: tuple[Tensor, Tensor] | None = None
    distributed: bool = False
    chunk_size: int | None = None

    def negatives(self) -> Tensor | int:
        """Return the size of Neg(i): one number, or shape (R, 1) where queue slots are excluded."""
        if self.images is not None:
            return len(self.columns) - 2
        if self.excluded is None:
            return len(self.columns)
        return (len(self.columns) - self.excluded.sum(-1, keepdim=True)).expand(len(self.rows), 1)

    def blocks(self, later_columns: bool = False) -> Iterator[Block]:
        """Yield all anchors, block by block.

        Args:
            later_columns: Leave out the columns before a block's first anchor, so that its column 0 is that anchor.
                With enough blocks this halves the work.
        """
        for start, row, length in self.runs:
            step = self.chunk_size or fast_block_size(len(self.columns), self.rows.is_cuda)
            if later_columns:
                step = min(step, max(64, length // 4))
            for offset in range(0, length, step):
                anchors = slice(start + offset, start + min(offset + step, length))
                yield self.block(anchors, row + offset, row + offset if later_columns else 0)

    @torch.no_grad()
    def block(self, anchors: slice, first: int, column: int = 0) -> Block:
        """Compare a slice of the anchors, which lie at ``first`` in the batch, with the columns from ``column`` on."""
        with torch.autocast(self.rows.device.type, enabled=False):
            logits = (self.rows[anchors] / self.temperature) @ self.columns[column:].T
        if self.images is not None:
            self.fill_own(logits, first - column, -torch.inf)
        elif self.excluded is not None:
            logits.masked_fill_(self.excluded if self.excluded.ndim == 1 else self.excluded[anchors], -torch.inf)
        return Block(logits, self.positive_logits[anchors].detach(), anchors, first, self)

    def fill_own(self, matrix: Tensor, column: int, value: float) -> None:
        """Fill the entries of a matrix, in place, where anchors of a batch meet themselves and their positives.

        Args:
            matrix: One row per anchor, consecutive in the batch.
            column: Column of the first anchor itself.
            value: Written to these entries.
        """
        assert self.images is not None, 'only rows of a batch meet themselves'
        for own in (column, column + self.images, column - self.images):
            matrix.diagonal(own).fill_(value)


def fast_block_size(columns: int, on_gpu: bool) -> int:
    """Return a fast number of anchors per block, which lets a CPU reuse its memory pages and fills a GPU."""
    return max(64, (1 << (27 if on_gpu else 21)) // max(columns, 1))


def in_batch_comparison(
    view1: Tensor,
    view2: Tensor,
    temperature: float,
    gather: bool = True,
    chunk_size: int | None = None,
    **known: Tensor | None,
) -> Comparison:
    """Compare all rows of a batch with each other.

    Args:
        view1: Projections of the first views, not normalised, shape (N, D); each of W processes has its own N.
        view2: Projections of the second views, shape (N, D).
        temperature: tau > 0.
        gather: Compare with the rows of all processes; False compares with those of this process alone.
        chunk_size: Anchors per block; None chooses.
        **known: What is known of the views, by the names of :data:`KNOWN`, view 1 first, shape (2N, ...); ``labels``
            may also be those of the images, shape (N,).

    Returns:
        Comparison of 2N rows with 2NW columns. Half precision is raised to float32 first; float64 is kept.

    Raises:
        InputError: The views differ in shape, are not (N, D), N is 0, or what is known does not fit.
    """
    _check_views(view1, view2)
    _check_known(known, KNOWN)
    n = len(view1)
    processes, rank = (process_count(), process_rank()) if gather else (1, 0)
    with torch.autocast(view1.device.type, enabled=False):
        rows = _unit(torch.cat([view1, view2]))
        agreement = (rows[:n] * rows[n:]).sum(1, keepdim=True) / temperature
        positive_logits = torch.cat([agreement, agreement])
    total = n * processes
    runs = ((0, rank * n, n), (n, total + rank * n, n)) if processes > 1 else ((0, 0, 2 * n),)

    def of_all(own: Tensor) -> Tensor:
        return gather_views(own) if processes > 1 else own

    of_both: dict[str, Any] = {}
    for name, values in known.items():
        if values is not None:
            own = _of_views(values, n, name)
            of_both[name] = own, of_all(own)
    return Comparison(
        rows,
        of_all(rows),
        positive_logits,
        temperature,
        images=total,
        runs=runs,
        distributed=processes > 1,
        chunk_size=chunk_size,
        **of_both,
    )


def queue_comparison(
    query: Tensor,
    key: Tensor,
    queue: Tensor,
    temperature: float,
    excluded: Tensor | None = None,
    gather: bool = True,
    chunk_size: int | None = None,
    **known: Tensor | None,
) -> Comparison:
    """Compare queries with their own keys and with a queue of past keys.

    Args:
        query: Projections of the anchors, not normalised, shape (N, D).
        key: Projections of their positives, row by row, shape (N, D).
        queue: Past keys, shape (K, D); the same on every process.
        temperature: tau > 0.
        excluded: True where a queue slot is not a negative of a query, such as a key of its own image or a slot that
            was never filled, bool, shape (N, K) or (K,). None excludes nothing.
        gather: A determination that looks at the whole batch sees the queries of all processes; False shows it those
            of this process alone.
        chunk_size: Anchors per block; None chooses.
        **known: What is known of the queries, by the names of :data:`KNOWN`, shape (N, ...), and of the queue, by the
            same names after ``queue_``, shape (K, ...). Only what is known of both counts.

    Returns:
        Comparison of N rows with K columns.

    Raises:
        InputError: The shapes do not fit.
    """
    _check_views(query, key)
    _check_known(known, (*KNOWN, *(f'queue_{name}' for name in KNOWN)))
    if queue.ndim != 2 or queue.shape[1] != query.shape[1] or not len(queue):
        raise InputError(
            f'a queue has shape (K, D) with K >= 1 and the D of the projections, {query.shape[1]}; '
            f'got {tuple(queue.shape)}'
        )
    n, slots = len(query), len(queue)
    if excluded is not None and (excluded.dtype != torch.bool or excluded.shape not in ((n, slots), (slots,))):
        raise InputError(
            f'excluded is bool of shape {(n, slots)} or {(slots,)}; '
            f'got {excluded.dtype} of shape {tuple(excluded.shape)}'
        )
    of_both: dict[str, Any] = {}
    for name in KNOWN:
        own, others = known.get(name), known.get(f'queue_{name}')
        if own is not None and others is not None:
            of_both[name] = _of_rows(own, n, name), _of_rows(others, slots, f'queue_{name}')
            if own.shape[1:] != others.shape[1:]:
                raise InputError(
                    f'{name} and queue_{name} have the same form; got {tuple(own.shape)} and {tuple(others.shape)}'
                )
    with torch.autocast(query.device.type, enabled=False):
        rows = _unit(query)
        return Comparison(
            rows,
            _unit(queue).to(rows.dtype),
            (rows * _unit(key)).sum(1, keepdim=True) / temperature,
            temperature,
            runs=((0, 0, n),),
            excluded=excluded,
            distributed=gather and process_count() > 1,
            chunk_size=chunk_size,
            **of_both,
        )


def _unit(rows: Tensor) -> Tensor:
    rows = rows.to(torch.promote_types(rows.dtype, torch.float32))
    # A row without a direction, such as that of a dead projection, would get a gradient of 1 / length.
    has_direction = torch.linalg.vector_norm(rows.detach(), dim=1, keepdim=True) > SHORTEST
    return F.normalize(torch.where(has_direction, rows, rows.detach()), dim=1)


def _check_views(view1: Tensor, view2: Tensor) -> None:
    if view1.ndim != 2 or view1.shape != view2.shape or len(view1) == 0:
        raise InputError(
            'a contrastive loss takes two views of one shape (N, D) with N >= 1; '
            f'got {tuple(view1.shape)} and {tuple(view2.shape)}'
        )


def _check_known(known: Mapping[str, Tensor | None], names: Iterable[str]) -> None:
    unknown = sorted(set(known) - set(names))
    if unknown:
        raise InputError(f'the loss takes no {unknown[0]} in this form; give some of {", ".join(names)}')
    for name, values in known.items():
        if values is not None and not isinstance(values, Tensor):
            raise InputError(f'{name} is a tensor, got {type(values).__name__}; convert it with torch.as_tensor')


def _of_views(values: Tensor, images: int, name: str) -> Tensor:
    """Return labels of images, or shares of views, for the 2N rows of a batch."""
    if values.ndim == 2:
        if len(values) != 2 * images:
            raise InputError(f'{name} of views are shares, shape {(2 * images, "kinds")}; got {tuple(values.shape)}')
        return values
    return _of_rows(values, images, name).repeat(2)


def _of_rows(values: Tensor, count: int, name: str) -> Tensor:
    if values.ndim not in (1, 2) or len(values) != count:
        form = (
            f'shares of kinds, shape {(count, "kinds")}'
            if values.ndim == 2
            else f'one label per image, shape {(count,)}'
        )
        raise InputError(f'{name} holds {form}; got {tuple(values.shape)}')
    return values
