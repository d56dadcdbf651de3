"""Two views of a patch: each a random crop, resized and perhaps mirrored, with its own colour steps."""

import math
from collections.abc import Sequence

import cv2
import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmengine.registry import TRANSFORMS
from torch.nn.functional import interpolate

from projects.false.common.errors import InputError

from .color_loader import apply_steps
from .steps import NEUTRAL, ORDER, ViewSteps, draw_jitter, uniform


def crop_window(
    height: int, width: int, scale: tuple[float, float], ratio: tuple[float, float]
) -> tuple[int, int, int, int]:
    """Draw the window of a random resized crop: area uniform in ``scale``, log aspect uniform in ``ratio``.

    Returns:
        Row, column, height and width in pixels; the largest centred window within ``ratio`` after ten failed draws.
    """
    for _ in range(10):
        area = height * width * uniform(*scale)
        aspect = math.exp(uniform(math.log(ratio[0]), math.log(ratio[1])))
        tall, wide = round(math.sqrt(area / aspect)), round(math.sqrt(area * aspect))
        if 0 < tall <= height and 0 < wide <= width:
            return np.random.randint(height - tall + 1), np.random.randint(width - wide + 1), tall, wide
    wide = min(width, round(height * ratio[1]))
    tall = min(height, round(width / ratio[0]))
    return (height - tall) // 2, (width - wide) // 2, tall, wide


def square_window(height: int, width: int, side: int | None) -> tuple[int, int, int, int]:
    """Draw a square of an image, at most its sides; None gives the whole image.

    Returns:
        Row, column, height and width in pixels.
    """
    if side is None:
        return 0, 0, height, width
    tall, wide = min(side, height), min(side, width)
    return np.random.randint(height - tall + 1), np.random.randint(width - wide + 1), tall, wide


def resize(image: np.ndarray, size: int, shrink: str = 'triangle') -> np.ndarray:
    """Resize to ``size`` x ``size``, bilinear, averaging where that makes the image smaller.

    Args:
        image: Any number of bands.
        size: Side in pixels.
        shrink: How to average. ``'triangle'`` widens the bilinear kernel, which is what Pillow calls bilinear;
            ``'area'`` averages over the source area of a pixel, which is sharper, and slower for large views.

    Shape:
        - image: (H, W, C) uint8; result: (size, size, C) uint8.
    """
    height, width = image.shape[:2]
    if (height, width) == (size, size):
        return image
    if shrink == 'area':
        smaller = height * width > size * size
        return cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR)
    if height <= size and width <= size:
        return cv2.resize(image, (size, size))
    # PyTorch gives what Pillow gives, in a sixth of the time, as long as it can tell that colours come last: a batch
    # of one that is permuted as a whole, not an image that is permuted and then made a batch.
    batch = torch.from_numpy(image)[None].permute(0, 3, 1, 2)
    made = interpolate(batch, size=(size, size), mode='bilinear', antialias=True)
    return np.ascontiguousarray(made.permute(0, 2, 3, 1)[0].numpy())


def mirrored(image: np.ndarray, horizontally: bool, vertically: bool) -> np.ndarray:
    """Mirror an image, both ways in one pass."""
    if horizontally or vertically:
        return cv2.flip(image, -1 if horizontally and vertically else int(horizontally))
    return image


def bands_first(view: np.ndarray) -> np.ndarray:
    """The same array (H, W, C), stored band by band, so that packing it as (C, H, W) costs nothing more."""
    stored = np.empty((view.shape[2], *view.shape[:2]), view.dtype)
    cv2.split(view, list(stored))
    return stored.transpose(1, 2, 0)


@TRANSFORMS.register_module()
class ContrastiveViews(BaseTransform):
    """Replace ``results['img']`` by a list of independent random views.

    In this order: random resized crop, flips, colour jitter (its four steps in random order), greyscale, Gaussian blur.
    Everything is uint8 with OpenCV. Of images with more than three bands the first three, blue, green and red, get
    jitter and greyscale; crop, flips and blur are of all bands.

    Args:
        size: Side of a view in pixels.
        crop_scale: Area of the crop as a share of the image, in (0, 1].
        crop_ratio: Aspect ratio (width / height) of the crop.
        flip_prob: Probability of a horizontal flip.
        vertical_flip_prob: Probability of a vertical flip; seen from above, no side is up.
        jitter: Strength of brightness, contrast, saturation (each factor in [1 - s, 1 + s]) and hue (shift in [-s, s]).
        jitter_prob, grey_prob, blur_prob: Probabilities of the steps.
        blur_sigma: Range of the standard deviation of the blur, in pixels.
        num_views: How many views of an image.
        window: Side in pixels of a random square that all views of an image are drawn from, at most the image's sides;
            None stands for the whole image. Two crops of a large patch often show different land cover; a window makes
            them views of the same.
        color_on: Who does jitter, greyscale and blur: the ``'loader'``, or the training ``'device'``, in one go for a
            whole batch. For the device the views are followed by one tensor more, (num_views, 10), what to do to each
            (:class:`~projects.false.datasets.views.steps.ViewSteps`); ``ViewPreprocessor`` does it and any other
            preprocessor fails. Both draw the same, and differ by rounding.
        shrink: How crops larger than a view are averaged, ``'triangle'`` or ``'area'``: see
            :func:`~projects.false.datasets.views.views.resize`.

    Raises:
        InputError: A probability, scale or strength is out of range, or a name is none of those.
    """

    def __init__(
        self,
        size: int,
        crop_scale: Sequence[float] = (0.08, 1.0),
        crop_ratio: Sequence[float] = (3 / 4, 4 / 3),
        flip_prob: float = 0.5,
        vertical_flip_prob: float = 0.0,
        jitter: Sequence[float] = (0.8, 0.8, 0.8, 0.2),
        jitter_prob: float = 0.8,
        grey_prob: float = 0.2,
        blur_prob: float = 0.5,
        blur_sigma: Sequence[float] = (0.1, 2.0),
        num_views: int = 2,
        window: int | None = None,
        color_on: str = 'loader',
        shrink: str = 'triangle',
    ) -> None:
        probabilities = {
            'flip_prob': flip_prob,
            'vertical_flip_prob': vertical_flip_prob,
            'jitter_prob': jitter_prob,
            'grey_prob': grey_prob,
            'blur_prob': blur_prob,
        }
        for name, value in probabilities.items():
            if not 0 <= value <= 1:
                raise InputError(f'{name} of ContrastiveViews is a probability in [0, 1], got {value!r}')
        if not 0 < crop_scale[0] <= crop_scale[1] <= 1:
            raise InputError(f'crop_scale of ContrastiveViews needs 0 < low <= high <= 1, got {crop_scale!r}')
        if len(jitter) != 4 or min(jitter) < 0 or jitter[3] > 0.5:
            raise InputError(f'jitter of ContrastiveViews is four strengths >= 0, the hue at most 0.5, got {jitter!r}')
        if window is not None and window < 1:
            raise InputError(f'window of ContrastiveViews is a side in pixels or None, got {window!r}')
        if color_on not in ('loader', 'device'):
            raise InputError(f"color_on of ContrastiveViews is 'loader' or 'device', got {color_on!r}")
        if shrink not in ('triangle', 'area'):
            raise InputError(f"shrink of ContrastiveViews is 'triangle' or 'area', got {shrink!r}")
        self.on_device, self.shrink = color_on == 'device', shrink
        self.size, self.num_views, self.window = size, num_views, window
        self.crop_scale, self.crop_ratio = tuple(crop_scale), tuple(crop_ratio)
        self.flip_prob, self.vertical_flip_prob = flip_prob, vertical_flip_prob
        self.jitter, self.jitter_prob = tuple(jitter), jitter_prob
        self.grey_prob, self.blur_prob, self.blur_sigma = grey_prob, blur_prob, tuple(blur_sigma)

    def transform(self, results: dict) -> dict:
        """Draw the views.

        ``results['view_windows']`` tells what of the image each shows: rows of top, left, height and width in pixels,
        before mirroring and resizing, shape (num_views, 4).
        """
        top, left, height, width = square_window(*results['img'].shape[:2], self.window)
        image = results['img'][top : top + height, left : left + width]
        drawn = [self._draw(image) for _ in range(self.num_views)]
        if self.on_device:
            results['img'] = [bands_first(view) for view, _, _ in drawn]
            results['img'].append(torch.from_numpy(np.array([steps.row() for _, steps, _ in drawn], np.float32)))
        else:
            results['img'] = [bands_first(apply_steps(view, steps)) for view, steps, _ in drawn]
        results['img_shape'] = (self.size, self.size)
        results['view_windows'] = np.array([window for _, _, window in drawn]) + np.array([top, left, 0, 0])
        return results

    def view(self, image: np.ndarray) -> np.ndarray:
        """Draw one view of a uint8 image, blue, green and red first, and do all of its steps here.

        Shape:
            - image: (H, W, C), C >= 3; result: (size, size, C).
        """
        view, steps, _ = self._draw(image)
        return apply_steps(view, steps)

    def _draw(self, image: np.ndarray) -> tuple[np.ndarray, ViewSteps, tuple[int, int, int, int]]:
        """Crop and mirror a view, and say what is left to do, and where it is from.

        The order of the draws is part of a run's seed.
        """
        window = row, column, height, width = crop_window(*image.shape[:2], self.crop_scale, self.crop_ratio)
        view = resize(image[row : row + height, column : column + width], self.size, self.shrink)
        chance = np.random.random_sample
        view = mirrored(view, chance() < self.flip_prob, chance() < self.vertical_flip_prob)
        order, amounts = draw_jitter(self.jitter) if chance() < self.jitter_prob else (ORDER, NEUTRAL)
        grey = chance() < self.grey_prob
        sigma = uniform(*self.blur_sigma) if chance() < self.blur_prob else 0.0
        return view, ViewSteps(order, amounts, grey, sigma), window
