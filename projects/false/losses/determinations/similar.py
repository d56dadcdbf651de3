"""The most similar negatives of every anchor, from which topk, margin and mutual choose."""

from torch import Tensor

from ..comparison import Block


def most_similar(block: Block, k: int) -> tuple[Tensor, Tensor]:
    """The k most similar negatives of every anchor, the most similar first.

    Returns:
        Their logits s_ij, -inf where the anchor has no k negatives, and their columns, both (B, min(k, C)).
    """
    return block.logits.topk(min(k, block.logits.shape[1]), dim=1)
