"""Which rows an anchor is compared with, and how similar they are.

In a batch the rows are ordered [view 1 of images 0..N-1; view 2 of images 0..N-1]; the positive of row i is
p(i) = (i + N) mod 2N and Neg(i) is every row other than i and p(i). On several processes N counts the images of all of
them: view 1 of all ranks, rank by rank, then view 2. Each process compares its own rows with all of them.

With a queue (MoCo) the anchors are the queries, the positive of a query is its own key, and Neg(i) is in the queue.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from projects.false.errors import InputError

from .processes import gather_rows, minimum_over_processes, process_count, process_rank


class Similarities(NamedTuple):
    """Everything a determination and a loss need to know about a batch.

    Attributes:
        logits: s_ij = c_ij / temperature of this process's anchors, shape (R, C), float32 or float64.
        positive_logits: s_ip, shape (R, 1).
        negatives: True where column j is in Neg(i), shape (R, C).
        temperature: tau.
        candidates: True where j > i and j is in Neg(i), shape (R, C): the half of the pairs that the released code
            looks at. None with a queue, whose columns have no order among the rows.
        spread: The anchors are spread over several processes.
    """

    logits: Tensor
    positive_logits: Tensor
    negatives: Tensor
    temperature: float
    candidates: Tensor | None = None
    spread: bool = False

    @property
    def positive_cosines(self) -> Tensor:
        """c_ip, shape (R, 1), in [-1, 1]."""
        return self.positive_logits * self.temperature

    def minimum(self, value: Tensor) -> Tensor:
        """The smallest of a scalar over the processes that the anchors are spread over."""
        return minimum_over_processes(value) if self.spread else value


def in_batch_similarities(view1: Tensor, view2: Tensor, temperature: float, gather: bool = True) -> Similarities:
    """Compare all rows of a batch with each other.

    Args:
        view1: Projections of the first views, not normalised, shape (N, D); on W processes each has N of its own.
        view2: Projections of the second views, shape (N, D).
        temperature: tau > 0.
        gather: Compare with the rows of all processes; else with this process's own.

    Returns:
        Similarities of 2N rows by 2NW columns. Half precision is raised to float32 first, float64 is kept.

    Raises:
        InputError: The shapes differ, are not (N, D), or N is 0.
    """
    _check_views(view1, view2)
    processes, rank = (process_count(), process_rank()) if gather else (1, 0)
    n, total = len(view1), len(view1) * processes
    with torch.autocast(view1.device.type, enabled=False):
        rows = _unit(torch.cat([view1, view2]))
        columns = rows
        if processes > 1:
            columns = gather_rows(rows).unflatten(1, (2, n)).transpose(0, 1).flatten(0, 2)
        logits = rows @ columns.T / temperature
    first = torch.arange(rank * n, (rank + 1) * n, device=rows.device)
    index = torch.cat([first, first + total])
    positive = ((index + total) % (2 * total))[:, None]
    column = torch.arange(2 * total, device=rows.device)
    negatives = (column != index[:, None]) & (column != positive)
    candidates = negatives & (column > index[:, None])
    return Similarities(logits, logits.gather(1, positive), negatives, temperature, candidates, processes > 1)


def queue_similarities(
    query: Tensor, key: Tensor, queue: Tensor, temperature: float, excluded: Tensor | None = None, gather: bool = True
) -> Similarities:
    """Compare queries with their own keys and with a queue of past keys.

    Args:
        query: Projections of the anchors, not normalised, shape (N, D).
        key: Projections of their positives, row by row, shape (N, D).
        queue: Past keys, shape (K, D); the same on every process.
        temperature: tau > 0.
        excluded: True where a place of the queue is no negative of a query, for example its own image or a place that
            was never filled, bool, shape (N, K) or (K,). None excludes nothing.
        gather: The batch is all queries of all processes, where a determination looks at the whole batch.

    Returns:
        Similarities of N rows by K columns.

    Raises:
        InputError: The shapes do not fit.
    """
    _check_views(query, key)
    if queue.ndim != 2 or queue.shape[1] != query.shape[1]:
        raise InputError(
            f'a queue has shape (K, D) with the D of the projections, {query.shape[1]}; got {tuple(queue.shape)}'
        )
    with torch.autocast(query.device.type, enabled=False):
        unit = _unit(query)
        positive_logits = (unit * _unit(key)).sum(1, keepdim=True) / temperature
        logits = unit @ _unit(queue).to(unit.dtype).T / temperature
    negatives = torch.ones_like(logits, dtype=torch.bool)
    if excluded is not None:
        if excluded.dtype != torch.bool or excluded.shape not in (logits.shape, logits.shape[1:]):
            raise InputError(
                f'excluded is bool of shape {tuple(logits.shape)} or {tuple(logits.shape[1:])}, '
                f'got {excluded.dtype} of shape {tuple(excluded.shape)}'
            )
        negatives &= ~excluded
    spread = gather and process_count() > 1
    return Similarities(logits, positive_logits, negatives, temperature, spread=spread)


def _unit(rows: Tensor) -> Tensor:
    return F.normalize(rows.to(torch.promote_types(rows.dtype, torch.float32)), dim=1)


def _check_views(view1: Tensor, view2: Tensor) -> None:
    if view1.ndim != 2 or view1.shape != view2.shape or len(view1) == 0:
        raise InputError(
            'a contrastive loss takes two views of one shape (N, D) with N >= 1, '
            f'got {tuple(view1.shape)} and {tuple(view2.shape)}'
        )
