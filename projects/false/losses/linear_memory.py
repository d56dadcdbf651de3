"""Autograd functions that keep memory linear in the batch: the mean over anchors, and sums of exponentials of a block.

The mean differentiates every block as soon as it is computed, so that the whole matrix of logits never exists. The
functions make few passes over a block, since memory, not arithmetic, limits the speed of all but the matrix products.
"""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from projects.false.common.errors import InputError

from .comparison import Block, Comparison

PLAIN = 30.0
"""Logits up to this size need no maximum: exponentials from e^-30 to e^30, and their sums, are far inside float32."""
LEAST = 1e-20
"""Below any sum of such exponentials, except the empty sum of 0."""


def mean_over_anchors(comparison: Comparison, cost: Callable[[Block], Tensor]) -> Tensor:
    """Return the mean of L_i over this process's anchors, differentiable once.

    Args:
        comparison: Anchors, columns and positives.
        cost: L_i of the anchors of a block, shape (B, 1), differentiable in its ``logits`` and ``positive_logits``.

    Returns:
        Scalar.
    """
    inputs = comparison.rows, comparison.columns, comparison.positive_logits
    differentiate = torch.is_grad_enabled() and any(tensor.requires_grad for tensor in inputs)
    rows = comparison.rows.detach()
    columns = rows if comparison.columns is comparison.rows else comparison.columns.detach()
    detached = replace(comparison, rows=rows, columns=columns, positive_logits=comparison.positive_logits.detach())
    with torch.autocast(comparison.rows.device.type, enabled=False):
        mean: Tensor = _MeanOverAnchors.apply(*inputs, detached, cost, differentiate)
    return mean


class _MeanOverAnchors(torch.autograd.Function):
    """The mean of L_i, with gradients that are computed block by block in the forward pass."""

    @staticmethod
    def forward(
        context: Any,
        rows: Tensor,
        columns: Tensor,
        positive_logits: Tensor,
        comparison: Comparison,
        cost: Callable[[Block], Tensor],
        differentiate: bool,
    ) -> Tensor:
        mean = rows.new_zeros(())
        context.temperature = comparison.temperature
        gradients = [torch.empty_like(rows), torch.zeros_like(columns), torch.empty_like(positive_logits)]
        row_gradient, column_gradient, positive_gradient = gradients
        for block in comparison.blocks():
            if not differentiate:
                mean += cost(block).sum() / len(rows)
                continue
            leaves = block.logits.requires_grad_(), block.positive_logits.requires_grad_()
            with torch.enable_grad():
                share = cost(block).sum() / len(rows)
            mean += share.detach()
            gradient, positive_gradient[block.anchors] = torch.autograd.grad(share, leaves)
            if comparison.columns is comparison.rows and gradient.shape[0] == gradient.shape[1]:
                # The rows of the only block are its columns as well, so that one product serves both.
                gradient = gradient + gradient.T.contiguous()
            elif context.needs_input_grad[1]:
                column_gradient.addmm_(gradient.T, rows[block.anchors])
            torch.mm(gradient, columns, out=row_gradient[block.anchors])
        context.save_for_backward(*gradients)
        return mean

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        if torch.is_grad_enabled():  # as with create_graph=True; what follows is a constant to autograd
            raise InputError(
                'the contrastive losses have no second derivatives; call backward or torch.autograd.grad without '
                'create_graph=True'
            )
        rows, columns, positive_logits = context.saved_tensors
        from_logits = gradient / context.temperature
        columns = columns * from_logits if context.needs_input_grad[1] else None
        return rows * from_logits, columns, positive_logits * gradient, None, None, None


def logsumexp(logits: Tensor, scale: float = 1.0, bound: float = math.inf, overwrite: bool = False) -> Tensor:
    """Return log sum_j exp(scale * s_ij) of every row, differentiable once.

    Args:
        logits: s_ij, -inf where j does not count, shape (B, C), C at least 1.
        scale: A factor greater than 0.
        bound: Largest possible absolute value of a finite logit, 1 / tau. If it is at most :data:`PLAIN` / scale, the
            pass that finds the maximum of every row is skipped.
        overwrite: Reuse the memory of ``logits``, which the caller must not read afterwards.

    Returns:
        Shape (B, 1); -inf, with a gradient of 0, where nothing counts.
    """
    total: Tensor = _LogSumExp.apply(logits, scale, None, scale * bound <= PLAIN, overwrite)[0]
    return total


def logsumexp_and_picked(
    logits: Tensor, columns: Tensor | None, bound: float = math.inf, overwrite: bool = False
) -> tuple[Tensor, Tensor]:
    """Return :func:`logsumexp` of every row, and the logits at some of its columns; both are differentiable once.

    One autograd function for both needs one gradient of the size of the logits instead of two.

    Args:
        logits: s_ij, -inf where j does not count, shape (B, C), C at least 1.
        columns: k columns of every row, shape (B, k); None for all columns, which are then never overwritten.
        bound, overwrite: See :func:`logsumexp`.

    Returns:
        Shapes (B, 1) and (B, k), or (B, C) for all columns.
    """
    if columns is None:
        return logsumexp(logits, bound=bound), logits
    total, picked = _LogSumExp.apply(logits, 1.0, columns, bound <= PLAIN, overwrite)
    return total, picked


class _LogSumExp(torch.autograd.Function):
    """Logsumexp in fewer passes than PyTorch's own, with a finite gradient for a row without any negative."""

    @staticmethod
    def forward(
        context: Any, logits: Tensor, scale: float, columns: Tensor | None, plain: bool, overwrite: bool
    ) -> tuple[Tensor, Tensor | None]:
        picked = None if columns is None else logits.gather(1, columns)
        largest = 0.0 if plain else logits.amax(1, keepdim=True).clamp_(min=torch.finfo(logits.dtype).min)
        terms = logits if overwrite else torch.empty_like(logits)
        if plain and scale == 1:
            torch.exp(logits, out=terms)
        else:
            torch.sub(logits, largest, out=terms)
            if scale != 1:
                terms *= scale
            terms.exp_()
        total = terms.sum(1, keepdim=True)
        context.terms, context.scale = terms, scale
        context.save_for_backward(total, columns)
        return scale * largest + total.log(), picked

    @staticmethod
    @once_differentiable
    def backward(
        context: Any, sum_gradient: Tensor, picked_gradient: Tensor | None
    ) -> tuple[Tensor, None, None, None, None]:
        total, columns = context.saved_tensors
        # Only a row without any finite logit has the total 0, and all of its terms are 0.
        gradient = context.terms.mul_(context.scale * sum_gradient / total.clamp(min=LEAST))
        del context.terms
        if columns is not None:
            gradient.scatter_add_(1, columns, picked_gradient)
        return gradient, None, None, None, None


def plain_sums(logits: Tensor, weights: Tensor, columns: Tensor | None) -> tuple[Tensor, Tensor]:
    r"""Return :math:`\log \sum_j e_{ij}` and :math:`\log \sum_j w_{ij} e_{ij}` of every row, differentiable once.

    Both come from the same exponentials. The logits and the weights of all columns are overwritten.

    Args:
        logits: s_ij, at most :data:`PLAIN` in size, -inf where j does not count, shape (B, C), C at least 1.
        weights: At least 0, constants for the gradient, shape (B, k).
        columns: The columns of the weights, shape (B, k), those with a weight above 0 different from one another; None
            for all columns in order.

    Returns:
        Both (B, 1); -inf, with a gradient of 0, where nothing counts or all weights are 0.
    """
    sums: tuple[Tensor, Tensor] = _PlainSums.apply(logits, weights, columns)
    return sums


class _PlainSums(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, logits: Tensor, weights: Tensor, columns: Tensor | None) -> tuple[Tensor, Tensor]:
        terms = torch.exp(logits, out=logits)
        picked = (terms if columns is None else terms.gather(1, columns)) * weights
        total, share = terms.sum(1, keepdim=True), picked.sum(1, keepdim=True)
        context.terms, context.weights = terms, weights if columns is None else picked
        context.save_for_backward(total, share, columns)
        return total.log(), share.log()

    @staticmethod
    @once_differentiable
    def backward(context: Any, sum_gradient: Tensor, share_gradient: Tensor) -> tuple[Tensor, None, None]:
        total, share, columns = context.saved_tensors
        terms, weights = context.terms, context.weights
        del context.terms, context.weights
        of_all, of_share = sum_gradient / total.clamp(min=LEAST), share_gradient / share.clamp(min=LEAST)
        if columns is None:
            return terms.mul_(torch.addcmul(of_all, weights, of_share, out=weights)), None, None
        return terms.mul_(of_all).scatter_add_(1, columns, weights * of_share), None, None
