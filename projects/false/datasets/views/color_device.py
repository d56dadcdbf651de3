"""The colour steps applied on the training device: a batch of views at a time, each with its own draws."""

import numpy as np
import torch
from torch import Tensor

from .steps import NEUTRAL

AMOUNTS, GREY, SIGMA = slice(4, 8), 8, 9  # columns of ViewSteps.row(); the first four are the order
LUMA = (0.299, 0.587, 0.114)  # weights of red, green and blue


@torch.no_grad()
def apply_steps(images: Tensor, steps: Tensor) -> Tensor:
    """Apply to every image the steps of its row; the result equals the loader's up to rounding.

    Args:
        images: Changed in place. Jitter and greyscale change the first three bands, red, green and blue; the blur
            changes all bands.
        steps: One row of :meth:`ViewSteps.row` per image, on the CPU: the images that a step concerns are looked up
            there and reach the device in one copy, so that nothing waits.

    Shape:
        - images: (N, C, H, W) float, grey levels 0 to 255; steps: (N, 10); result: as images.
    """
    drawn = steps.numpy()
    amounts = drawn[:, AMOUNTS]
    groups = [
        (step, np.flatnonzero((drawn[:, place] == step) & (amounts[:, step] != NEUTRAL[step])))
        for place in range(4)
        for step in range(4)
    ]
    grey, blurred = np.flatnonzero(drawn[:, GREY]), np.flatnonzero(drawn[:, SIGMA])
    lists = [*((numbers, amounts[numbers, step]) for step, numbers in groups), (grey, drawn[grey, GREY])]
    lists.append((blurred, drawn[blurred, SIGMA]))
    table = np.concatenate([np.stack(parts).astype(np.float32) for parts in lists], axis=1)
    numbers, values = to_device(torch.from_numpy(table), images.device)
    lengths = [len(part) for part, _ in lists]
    chosen, drawn_values = numbers.long().split(lengths), values.to(images.dtype).split(lengths)
    # bfloat16 barely tells 256 grey levels apart, so autocast must not reach the blur.
    with torch.autocast(images.device.type, enabled=False):
        colors = images[:, :3]
        for (step, _), there, factors in zip(groups, chosen, drawn_values, strict=False):
            if len(there):
                colors.index_copy_(0, there, ADJUST[step](colors[there], factors))
        if len(grey):
            colors.index_copy_(0, chosen[-2], luma(colors[chosen[-2]]).expand(-1, 3, -1, -1))
        if len(blurred):
            longest = float(drawn[:, SIGMA].max())
            images.index_copy_(0, chosen[-1], blur(images[chosen[-1]], drawn_values[-1], longest))
    return images


def to_device(values: Tensor, device: torch.device) -> Tensor:
    """Copy from the CPU to a device without waiting for it, by way of pinned memory."""
    if device.type == 'cuda' and not values.is_cuda:
        values = values.pin_memory()
    return values.to(device, non_blocking=True)


def blur(images: Tensor, sigmas: Tensor, longest: float | None = None, truncate: float = 3.5) -> Tensor:
    """Blur by a Gaussian, mirrored at the borders: multiply by one matrix for the rows and one for the columns.

    Args:
        images: Any number of bands.
        sigmas: Standard deviation of each image's blur in pixels, above 0.
        longest: The largest of them, which determines the longest kernel; None finds it and waits for the device.
        truncate: Half the length of the kernel in standard deviations.

    Shape:
        - images: (N, C, H, W); sigmas: (N,); result: (N, C, H, W).
    """
    height, width = images.shape[-2:]
    reach = int(truncate * (float(sigmas.max()) if longest is None else longest) + 1)
    sigmas = sigmas.to(images)
    vertical = blur_matrices(sigmas, height, reach)
    horizontal = vertical if width == height else blur_matrices(sigmas, width, reach)
    return vertical[:, None] @ images @ horizontal[:, None].mT


def blur_matrices(sigmas: Tensor, length: int, reach: int) -> Tensor:
    """Return matrices that blur a line of pixels, (N, length, length); row i has the weights of pixel i's sources."""
    offsets = torch.arange(-min(reach, length - 1), min(reach, length - 1) + 1, device=sigmas.device)
    weights = torch.softmax(-0.5 * (offsets / sigmas[:, None]) ** 2, dim=1)
    sources = (torch.arange(length, device=sigmas.device) + offsets[:, None]).abs()
    sources = length - 1 - (length - 1 - sources).abs()  # mirrored beyond either end, without repeating the border
    places = (sources[..., None] == torch.arange(length, device=sigmas.device)).to(weights)
    return (weights @ places.flatten(1)).view(-1, length, length)


def luma(images: Tensor) -> Tensor:
    """Return the luma of images, (N, 1, H, W)."""
    red, green, blue = images.split(1, dim=1)
    return (LUMA[0] * red).add_(green, alpha=LUMA[1]).add_(blue, alpha=LUMA[2])


def _blend(images: Tensor, other: Tensor, factors: Tensor) -> Tensor:
    return torch.lerp(other, images, factors.view(-1, 1, 1, 1)).clamp_(0, 255)


def adjust_brightness(images: Tensor, factors: Tensor) -> Tensor:
    """Multiply all grey levels by each image's factor."""
    return (images * factors.view(-1, 1, 1, 1)).clamp_(0, 255)


def adjust_contrast(images: Tensor, factors: Tensor) -> Tensor:
    """Stretch grey levels away from the mean luma, or compress them towards it."""
    return _blend(images, luma(images).mean((1, 2, 3), keepdim=True).round_().expand_as(images), factors)


def adjust_saturation(images: Tensor, factors: Tensor) -> Tensor:
    """Blend with the grey image."""
    return _blend(images, luma(images).expand_as(images), factors)


def adjust_hue(images: Tensor, shifts: Tensor) -> Tensor:
    """Rotate the hue by ``shifts`` of a full circle; value (the largest band) and saturation stay."""
    red, green, blue = images.unbind(1)
    value, lowest = images.amax(1), images.amin(1)
    chroma = value - lowest
    # In sixths of the circle: 0 red, 2 green, 4 blue. Any hue will do for grey pixels, since their chroma is 0.
    distance = chroma.clamp(min=1e-6)
    hue = torch.where(
        value == red,
        (green - blue) / distance,
        torch.where(value == green, (blue - red) / distance + 2, (red - green) / distance + 4),
    )
    hue += shifts.view(-1, 1, 1) * 6
    bands = []
    for start in (5, 3, 1):  # each band is at its lowest for a third of the circle and at its highest for another
        place = (hue + start).remainder_(6)
        rise = torch.minimum(place, 4 - place).clamp_(0, 1)
        bands.append(value - chroma * rise)
    return torch.stack(bands, dim=1)


ADJUST = (adjust_brightness, adjust_contrast, adjust_saturation, adjust_hue)  # in the order of steps.ORDER
