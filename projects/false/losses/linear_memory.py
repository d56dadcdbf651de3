"""The mean over all anchors of what one costs, in memory that is linear in the batch.

A loss says what the anchors of one block cost, given their logits. Here the blocks are gone through one after the
other, and the gradient of a block with respect to the embeddings is taken while its logits are at hand: the matrix of
all similarities exists neither forward nor backward, and nothing is computed twice.
"""

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from .comparison import Block, Comparison


class _MeanOverAnchors(torch.autograd.Function):
    @staticmethod
    def forward(context, rows, columns, positive_logits, comparison, cost, differentiate) -> Tensor:
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
                # The rows of this only block are its columns as well: one product does for both.
                gradient = gradient + gradient.T.contiguous()
            elif context.needs_input_grad[1]:
                column_gradient.addmm_(gradient.T, rows[block.anchors])
            torch.mm(gradient, columns, out=row_gradient[block.anchors])
        context.save_for_backward(*gradients)
        return mean

    @staticmethod
    @once_differentiable
    def backward(context, gradient: Tensor) -> tuple:
        rows, columns, positive_logits = context.saved_tensors
        from_logits = gradient / context.temperature
        columns = columns * from_logits if context.needs_input_grad[1] else None
        return rows * from_logits, columns, positive_logits * gradient, None, None, None


def mean_over_anchors(comparison: Comparison, cost: Callable[[Block], Tensor]) -> Tensor:
    """The mean of L_i over this process's anchors, differentiable once.

    Args:
        comparison: Anchors, columns and positives.
        cost: L_i of the anchors of a block, shape (B,), differentiable in its ``logits`` and ``positive_logits``.

    Returns:
        Scalar.
    """
    inputs = comparison.rows, comparison.columns, comparison.positive_logits
    differentiate = torch.is_grad_enabled() and any(tensor.requires_grad for tensor in inputs)
    rows = comparison.rows.detach()
    columns = rows if comparison.columns is comparison.rows else comparison.columns.detach()
    detached = replace(comparison, rows=rows, columns=columns, positive_logits=comparison.positive_logits.detach())
    with torch.autocast(comparison.rows.device.type, enabled=False):
        return _MeanOverAnchors.apply(*inputs, detached, cost, differentiate)
