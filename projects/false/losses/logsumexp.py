"""The sum over negatives that every loss here is made of, and the terms of it that a loss looks at one by one."""

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


class _LogSumExp(torch.autograd.Function):
    """Fewer passes over the logits than PyTorch's own, and a finite gradient where a row has no negative at all."""

    @staticmethod
    def forward(context, logits: Tensor, scale: float, columns: Tensor | None) -> tuple[Tensor, Tensor | None]:
        largest = logits.amax(1, keepdim=True).clamp_(min=torch.finfo(logits.dtype).min)
        terms = logits - largest
        if scale != 1:
            terms *= scale
        total = terms.exp_().sum(1, keepdim=True)
        context.terms, context.scale = terms, scale
        context.save_for_backward(total, columns)
        return scale * largest + total.log(), None if columns is None else logits.gather(1, columns)

    @staticmethod
    @once_differentiable
    def backward(context, sum_gradient: Tensor, picked_gradient: Tensor | None) -> tuple[Tensor, None, None]:
        total, columns = context.saved_tensors
        # A total is at least 1, its largest term, unless there is no term: then all terms are 0.
        gradient = context.terms.mul_(context.scale * sum_gradient / total.clamp(min=1))
        del context.terms
        if columns is not None:
            gradient.scatter_add_(1, columns, picked_gradient)
        return gradient, None, None


def logsumexp(logits: Tensor, scale: float = 1.0) -> Tensor:
    """log sum_j exp(scale * s_ij) along rows, differentiable once.

    Args:
        logits: s_ij, -inf where j does not count, shape (B, C), C at least 1.
        scale: A factor greater than 0.

    Returns:
        Shape (B, 1); -inf, with a gradient of 0, where nothing counts.
    """
    return _LogSumExp.apply(logits, scale, None)[0]


def logsumexp_and_some(logits: Tensor, columns: Tensor) -> tuple[Tensor, Tensor]:
    """:func:`logsumexp` beside the logits in the k given columns of every row, shape (B, k), differentiable as well."""
    return _LogSumExp.apply(logits, 1.0, columns)
