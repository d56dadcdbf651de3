"""Two views of a patch: each is a random crop, resized and perhaps mirrored, with its own colour steps."""

import math
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmengine.registry import TRANSFORMS
from torch.nn.functional import interpolate

from projects.false.common.errors import InputError, check_count, check_pair

from .color_loader import apply_steps
from .steps import ColorSteps, ViewSteps, check_probability, uniform

Window = tuple[int, int, int, int]  # row and column of the first pixel, height and width


@TRANSFORMS.register_module()
class ContrastiveViews(BaseTransform):
    """Replace ``results['img']`` by a list of independent random views.

    The steps, in this order: random resized crop, flips, colour jitter (its four steps in random order), greyscale,
    Gaussian blur. Everything is uint8 with OpenCV. In images with more than three bands, jitter and greyscale change
    only the first three (blue, green and red); crop, flips and blur apply to all bands.

    Args:
        size: Side of a view in pixels.
        crop_scale: Range of the area of the crop as a share of the image, in (0, 1].
        crop_ratio: Range of the aspect ratio (width / height) of the crop.
        flip_prob: Probability of a horizontal flip, in [0, 1].
        vertical_flip_prob: Probability of a vertical flip, in [0, 1]; seen from above, no side is up.
        num_views: Number of views per image.
        window: Side in pixels of a random square that all views of an image are drawn from, at most the image's sides;
            None stands for the whole image. Two crops of a large patch often show different land cover; a window keeps
            them close together.
        color_on: Where jitter, greyscale and blur are applied: in the ``'loader'``, or on the training ``'device'`` to
            a whole batch at once. For the device the list of views ends with one more tensor, (num_views, 10), with the
            steps of each view (:class:`~projects.false.datasets.views.steps.ViewSteps`). ``ViewPreprocessor`` applies
            them; any other preprocessor fails. Both ways use the same draws and differ by rounding only.
        shrink: How crops larger than a view are averaged, ``'triangle'`` or ``'area'``; see
            :func:`~projects.false.datasets.views.views.resize`.
        color: ``jitter``, ``jitter_prob``, ``grey_prob``, ``blur_prob`` and ``blur_sigma``; see
            :class:`~projects.false.datasets.views.steps.ColorSteps`.

    Raises:
        InputError: A probability, scale or strength is out of range, or a name is unknown.
    """

    def __init__(
        self,
        size: int,
        crop_scale: Sequence[float] = (0.08, 1.0),
        crop_ratio: Sequence[float] = (3 / 4, 4 / 3),
        flip_prob: float = 0.5,
        vertical_flip_prob: float = 0.0,
        num_views: int = 2,
        window: int | None = None,
        color_on: str = 'loader',
        shrink: str = 'triangle',
        **color: Any,
    ) -> None:
        check_probability('flip_prob', flip_prob)
        check_probability('vertical_flip_prob', vertical_flip_prob)
        check_pair('crop_scale of ContrastiveViews (a share of the area)', crop_scale, 1)
        check_pair('crop_ratio of ContrastiveViews (width / height)', crop_ratio, math.inf)
        check_count('size of ContrastiveViews', size)
        check_count('num_views of ContrastiveViews', num_views)
        if window is not None:
            check_count('window of ContrastiveViews (None for the whole image)', window)
        if color_on not in ('loader', 'device'):
            raise InputError(f"color_on of ContrastiveViews is 'loader' or 'device', got {color_on!r}")
        if shrink not in ('triangle', 'area'):
            raise InputError(f"shrink of ContrastiveViews is 'triangle' or 'area', got {shrink!r}")
        self.size, self.num_views, self.window = size, num_views, window
        self.crop_scale, self.crop_ratio = tuple(crop_scale), tuple(crop_ratio)
        self.flip_prob, self.vertical_flip_prob = flip_prob, vertical_flip_prob
        self.color = ColorSteps(**color)
        self.on_device, self.shrink = color_on == 'device', shrink

    def transform(self, results: dict) -> dict:
        """Draw the views.

        ``results['view_windows']`` holds the part of the image that each view shows: top, left, height and width in
        pixels, before mirroring and resizing, shape (num_views, 4). ``results['views_of']`` is the untouched image.

        Raises:
            InputError: The image has one or two bands, and jitter or greyscale is on.
        """
        results['views_of'] = results['img']
        height, width = results['img'].shape[:2]
        top, left, height, width = square_window(height, width, self.window)
        image = results['img'][top : top + height, left : left + width]
        drawn = [self._draw(image) for _ in range(self.num_views)]
        if self.on_device:
            results['img'] = [store_bands_first(view) for view, _, _ in drawn]
            results['img'].append(torch.from_numpy(np.array([steps.row() for _, steps, _ in drawn], np.float32)))
        else:
            results['img'] = [store_bands_first(apply_steps(view, steps)) for view, steps, _ in drawn]
        results['img_shape'] = (self.size, self.size)
        results['view_windows'] = np.array(
            [(top + row, left + column, tall, wide) for _, _, (row, column, tall, wide) in drawn]
        )
        return results

    def view(self, image: np.ndarray) -> np.ndarray:
        """Draw one view of a uint8 image, blue, green and red first, and apply its colour steps here.

        Shape:
            - image: (H, W, C), C >= 3 for jitter and greyscale; result: (size, size, C).

        Raises:
            InputError: The image has no colours for jitter and greyscale.
        """
        view, steps, _ = self._draw(image)
        return apply_steps(view, steps)

    def _draw(self, image: np.ndarray) -> tuple[np.ndarray, ViewSteps, Window]:
        """Crop and mirror one view; return it with its colour steps and the window it was cut from.

        The order of the draws is part of a run's seed.
        """
        height, width, bands = image.shape
        if bands < 3 and (self.color.jitter_prob or self.color.grey_prob):
            raise InputError(
                f'ContrastiveViews: images of {bands} band(s) have no colors to change; set its jitter_prob and '
                'grey_prob to 0'
            )
        window = crop_window(height, width, self.crop_scale, self.crop_ratio)
        top, left, height, width = window
        view = resize(image[top : top + height, left : left + width], self.size, self.shrink)
        horizontally = np.random.random_sample() < self.flip_prob
        vertically = np.random.random_sample() < self.vertical_flip_prob
        return mirror(view, horizontally, vertically), self.color.draw(), window


def square_window(height: int, width: int, side: int | None) -> Window:
    """Draw a square window of an image, at most as large as its sides; None returns the whole image."""
    if side is None:
        return 0, 0, height, width
    tall, wide = min(side, height), min(side, width)
    return np.random.randint(height - tall + 1), np.random.randint(width - wide + 1), tall, wide


def crop_window(height: int, width: int, scale: Sequence[float], ratio: Sequence[float]) -> Window:
    """Draw the window of a random resized crop: area uniform in ``scale``, log aspect ratio uniform in ``ratio``.

    After ten draws that do not fit, the window is the largest centred one within ``ratio``.
    """
    for _ in range(10):
        area = height * width * uniform(scale[0], scale[1])
        aspect = math.exp(uniform(math.log(ratio[0]), math.log(ratio[1])))
        tall, wide = round(math.sqrt(area / aspect)), round(math.sqrt(area * aspect))
        if 0 < tall <= height and 0 < wide <= width:
            return np.random.randint(height - tall + 1), np.random.randint(width - wide + 1), tall, wide
    wide = min(width, round(height * ratio[1]))
    tall = min(height, round(width / ratio[0]))
    return (height - tall) // 2, (width - wide) // 2, tall, wide


def resize(image: np.ndarray, size: int, shrink: str = 'triangle') -> np.ndarray:
    """Resize to ``size`` x ``size``: bilinear, and averaging where the image becomes smaller.

    Args:
        image: Any number of bands.
        size: Side in pixels.
        shrink: How to average. ``'triangle'`` widens the bilinear kernel, which Pillow calls bilinear. ``'area'``
            averages over the source area of each pixel, which is sharper, and slower for large views.

    Shape:
        - image: (H, W, C) uint8; result: (size, size, C) uint8.
    """
    height, width = image.shape[:2]
    if (height, width) == (size, size):
        return image
    if shrink == 'area':
        smaller = height * width > size * size
        how = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
        return cv2.resize(image, (size, size), interpolation=how).reshape(size, size, -1)  # keeps a single band
    if height <= size and width <= size:
        return cv2.resize(image, (size, size)).reshape(size, size, -1)
    # PyTorch gives Pillow's result in a sixth of the time, but only if it recognises that bands come last: permute a
    # batch of one as a whole, instead of making a batch of a permuted image. NumPy copies a crop faster than PyTorch.
    batch = torch.from_numpy(np.ascontiguousarray(image))[None].permute(0, 3, 1, 2)
    resized = interpolate(batch, size=(size, size), mode='bilinear', antialias=True)
    return np.ascontiguousarray(resized.permute(0, 2, 3, 1)[0].numpy())


def mirror(image: np.ndarray, horizontally: bool, vertically: bool) -> np.ndarray:
    """Mirror an image in one or both directions, in one pass."""
    if horizontally or vertically:
        return cv2.flip(image, -1 if horizontally and vertically else int(horizontally)).reshape(image.shape)
    return image


def store_bands_first(view: np.ndarray) -> np.ndarray:
    """Return the same (H, W, C) array, stored band by band, so that packing it as (C, H, W) needs no further copy."""
    stored = np.empty((view.shape[2], *view.shape[:2]), view.dtype)
    cv2.split(view, list(stored))
    return stored.transpose(1, 2, 0)
