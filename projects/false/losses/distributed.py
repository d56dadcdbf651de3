"""Exchange rows and minima with the other processes of a run; a single process exchanges nothing."""

from typing import Any

import torch
from torch import Tensor
from torch import distributed as dist


def process_count() -> int:
    """Return W, the number of processes that train together; 1 without torch.distributed."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def process_rank() -> int:
    """Return the rank of this process, in [0, W)."""
    return dist.get_rank() if process_count() > 1 else 0


def gather_rows(rows: Tensor) -> Tensor:
    """Collect a tensor of one shape from all processes, keeping its gradient.

    The gradient that arrives at a process's own tensor is the sum over the losses of all processes, so that averaging
    parameter gradients over processes, as DistributedDataParallel does, gives the gradient of the mean loss.

    Args:
        rows: Shape (n, ...), the same on every process.

    Returns:
        Shape (W, n, ...), rank by rank.
    """
    gathered: Tensor = _GatherRows.apply(rows) if process_count() > 1 else rows[None]
    return gathered


class _GatherRows(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, rows: Tensor) -> Tensor:
        parts = [torch.empty_like(rows) for _ in range(process_count())]
        dist.all_gather(parts, rows.contiguous())
        return torch.stack(parts)

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> Tensor:
        # Every process holds a share of the gradient of all rows; their sum is the gradient on a single process.
        gradient = gradient.contiguous()
        dist.all_reduce(gradient)
        return gradient[process_rank()]


def gather_together(*values: Tensor) -> list[Tensor]:
    """Collect several tensors from all processes in one exchange, without gradient.

    Args:
        *values: Of any types, shapes (n, ...), the same on every process.

    Returns:
        One tensor for each of them, (Wn, ...), rank by rank.
    """
    if process_count() == 1:
        return list(values)
    bytes_of = [
        value.detach().contiguous().flatten(1).view(torch.uint8)
        if value.ndim > 1
        else value.detach().contiguous()[:, None].view(torch.uint8)
        for value in values
    ]
    gathered = gather_rows(torch.cat(bytes_of, dim=1)).flatten(0, 1)
    parts = torch.split(gathered, [part.shape[1] for part in bytes_of], dim=1)
    return [
        part.contiguous().view(value.dtype).view(-1, *value.shape[1:])
        for part, value in zip(parts, values, strict=True)
    ]


def gather_views(rows: Tensor) -> Tensor:
    """Collect rows of both views from all processes: view 1 of all ranks, rank by rank, then view 2.

    Args:
        rows: [view 1; view 2] of this process's images, shape (2n, ...), n the same on every process.

    Returns:
        Shape (2nW, ...), with the gradient of :func:`gather_rows`.
    """
    gathered = gather_rows(rows)
    return gathered.reshape(len(gathered), 2, len(rows) // 2, *rows.shape[1:]).transpose(0, 1).flatten(0, 2)


def minimum_over_processes(value: Tensor) -> Tensor:
    """Return the smallest value over all processes, element by element; not differentiable."""
    if process_count() > 1:
        value = value.clone()
        dist.all_reduce(value, dist.ReduceOp.MIN)
    return value
