"""From projections to a comparison: in a batch, over processes, or with a queue."""

import torch
import torch.nn.functional as F
from torch import Tensor

from projects.false.errors import InputError

from .comparison import Comparison
from .distributed import gather_views, process_count, process_rank


def in_batch_comparison(
    view1: Tensor,
    view2: Tensor,
    temperature: float,
    gather: bool = True,
    chunk_size: int | None = None,
    labels: Tensor | None = None,
) -> Comparison:
    """Compare all rows of a batch with each other.

    Args:
        view1: Projections of the first views, not normalised, shape (N, D); on W processes each has N of its own.
        view2: Projections of the second views, shape (N, D).
        temperature: tau > 0.
        gather: Compare with the rows of all processes; else with this process's own.
        chunk_size: Anchors a block; None chooses.
        labels: Labels of the images, shape (N,); or shares of classes of the views, view 1 first, shape (2N, classes).

    Returns:
        Comparison of 2N rows with 2NW columns. Half precision is raised to float32 first, float64 is kept.

    Raises:
        InputError: The views differ in shape, are not (N, D), N is 0, or the labels do not fit.
    """
    _check_views(view1, view2)
    n, (processes, rank) = len(view1), (process_count(), process_rank()) if gather else (1, 0)
    with torch.autocast(view1.device.type, enabled=False):
        rows = _unit(torch.cat([view1, view2]))
        agreement = (rows[:n] * rows[n:]).sum(1, keepdim=True) / temperature
        positive_logits = torch.cat([agreement, agreement])
    row_labels = None if labels is None else _labels_of_views(labels, n)
    total = n * processes
    runs = ((0, rank * n, n), (n, total + rank * n, n)) if processes > 1 else ((0, 0, 2 * n),)
    return Comparison(
        rows,
        gather_views(rows) if processes > 1 else rows,
        positive_logits,
        temperature,
        images=total,
        runs=runs,
        labels=None if labels is None else (row_labels, gather_views(row_labels) if processes > 1 else row_labels),
        spread=processes > 1,
        chunk_size=chunk_size,
    )


def queue_comparison(
    query: Tensor,
    key: Tensor,
    queue: Tensor,
    temperature: float,
    excluded: Tensor | None = None,
    gather: bool = True,
    chunk_size: int | None = None,
    labels: Tensor | None = None,
    queue_labels: Tensor | None = None,
) -> Comparison:
    """Compare queries with their own keys and with a queue of past keys.

    Args:
        query: Projections of the anchors, not normalised, shape (N, D).
        key: Projections of their positives, row by row, shape (N, D).
        queue: Past keys, shape (K, D); the same on every process.
        temperature: tau > 0.
        excluded: True where a place of the queue is no negative of a query, for example its own image or a place that
            was never filled, bool, shape (N, K) or (K,). None excludes nothing.
        gather: The batch is all queries of all processes, where a determination looks at the whole batch.
        chunk_size: Anchors a block; None chooses.
        labels: Labels of the queries' images, shape (N,).
        queue_labels: Labels of the queue's images, shape (K,).

    Returns:
        Comparison of N rows with K columns.

    Raises:
        InputError: The shapes do not fit.
    """
    _check_views(query, key)
    if queue.ndim != 2 or queue.shape[1] != query.shape[1]:
        raise InputError(
            f'a queue has shape (K, D) with the D of the projections, {query.shape[1]}; got {tuple(queue.shape)}'
        )
    n, places = len(query), len(queue)
    if excluded is not None and (excluded.dtype != torch.bool or excluded.shape not in ((n, places), (places,))):
        raise InputError(
            f'excluded is bool of shape {(n, places)} or {(places,)}, '
            f'got {excluded.dtype} of shape {tuple(excluded.shape)}'
        )
    both = None
    if labels is not None and queue_labels is not None:
        both = _checked_labels(labels, n, 'labels'), _checked_labels(queue_labels, places, 'queue_labels')
    with torch.autocast(query.device.type, enabled=False):
        rows = _unit(query)
        return Comparison(
            rows,
            _unit(queue).to(rows.dtype),
            (rows * _unit(key)).sum(1, keepdim=True) / temperature,
            temperature,
            runs=((0, 0, n),),
            excluded=excluded,
            labels=both,
            spread=gather and process_count() > 1,
            chunk_size=chunk_size,
        )


def _unit(rows: Tensor) -> Tensor:
    return F.normalize(rows.to(torch.promote_types(rows.dtype, torch.float32)), dim=1)


def _check_views(view1: Tensor, view2: Tensor) -> None:
    if view1.ndim != 2 or view1.shape != view2.shape or len(view1) == 0:
        raise InputError(
            'a contrastive loss takes two views of one shape (N, D) with N >= 1, '
            f'got {tuple(view1.shape)} and {tuple(view2.shape)}'
        )


def _labels_of_views(labels: Tensor, images: int) -> Tensor:
    if labels.ndim == 2:
        if len(labels) != 2 * images:
            raise InputError(
                f'labels of views are shares of classes, shape {(2 * images, "classes")}; got {tuple(labels.shape)}'
            )
        return labels
    return _checked_labels(labels, images, 'labels').repeat(2)


def _checked_labels(labels: Tensor, count: int, name: str) -> Tensor:
    if labels.shape != (count,):
        raise InputError(f'{name} has one label an image, shape {(count,)}; got {tuple(labels.shape)}')
    return labels
