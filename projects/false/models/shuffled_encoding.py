"""Shuffled batch normalisation (MoCo, arXiv 1911.05722, section 3.3).

Batch statistics tell a query which key is its own if both were normalised with the same images. So keys are encoded in
other groups of images than queries: shuffled across processes or, where there is one process, in shuffled sub-batches.
"""

from collections.abc import Callable

import torch
from mmengine.dist import all_gather, broadcast, get_rank, get_world_size
from torch import Tensor


def draw_order(count: int, device: torch.device) -> Tensor:
    """Draw the order in which the images of all processes are encoded, the same on all of them.

    Args:
        count: N, images of a process.
        device: Where the images are.

    Returns:
        A permutation, shape (WN,).
    """
    order = torch.randperm(count * get_world_size(), device=device)
    if get_world_size() > 1:
        broadcast(order)
    return order


@torch.no_grad()
def encode_shuffled(
    encode: Callable[[Tensor], Tensor], images: Tensor, order: Tensor, splits: int
) -> tuple[Tensor, Tensor]:
    """Encode images in an order that batch statistics cannot be matched with.

    Args:
        encode: From images (B, C, H, W) to projections (B, D).
        images: This process's images, shape (N, C, H, W), N the same on all W processes.
        order: Of :func:`draw_order`, shape (WN,).
        splits: On one process: how many sub-batches the shuffled batch is encoded in, fewer where one would hold a
            single image. Without meaning on several processes, where each encodes N images.

    Returns:
        Projections of this process's images, (N, D), and those of all processes, (WN, D), rank by rank.
    """
    n, rank = len(images), get_rank()
    if get_world_size() == 1:
        parts = images[order].tensor_split(max(1, min(splits, n // 2)))
        shuffled = torch.cat([encode(part) for part in parts])
    else:
        mine = order[rank * n : (rank + 1) * n]
        shuffled = torch.cat(all_gather(encode(torch.cat(all_gather(images))[mine]).contiguous()))
    everybody = torch.empty_like(shuffled)
    everybody[order] = shuffled
    return everybody[rank * n : (rank + 1) * n], everybody
