"""Two random views of an image on uint8 with OpenCV: the augmentations of SimCLR, MoCo v2 and FALSE by arguments."""

import math
from collections.abc import Sequence

import cv2
import numpy as np
from mmcv.transforms import BaseTransform
from mmengine.registry import TRANSFORMS

from projects.false.errors import InputError

from .color_jitter import adjust_brightness, adjust_contrast, adjust_hue, adjust_saturation, grey_of


def crop_window(
    height: int, width: int, scale: tuple[float, float], ratio: tuple[float, float]
) -> tuple[int, int, int, int]:
    """Draw the window of a random resized crop: area uniform in ``scale``, log aspect uniform in ``ratio``.

    Returns:
        Row, column, height and width in pixels; the largest centred window within ``ratio`` after ten failed draws.
    """
    for _ in range(10):
        area = height * width * np.random.uniform(*scale)
        aspect = math.exp(np.random.uniform(math.log(ratio[0]), math.log(ratio[1])))
        tall, wide = round(math.sqrt(area / aspect)), round(math.sqrt(area * aspect))
        if 0 < tall <= height and 0 < wide <= width:
            return np.random.randint(height - tall + 1), np.random.randint(width - wide + 1), tall, wide
    wide = min(width, round(height * ratio[1]))
    tall = min(height, round(width / ratio[0]))
    return (height - tall) // 2, (width - wide) // 2, tall, wide


def resize(image: np.ndarray, size: int) -> np.ndarray:
    """Resize to ``size`` x ``size``, averaging where that makes the image smaller."""
    if image.shape[:2] == (size, size):
        return image
    smaller = image.shape[0] * image.shape[1] > size * size
    return cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR)


@TRANSFORMS.register_module()
class ContrastiveViews(BaseTransform):
    """Replace ``results['img']`` by a list of independent random views.

    In this order: random resized crop, horizontal flip, colour jitter (its four steps in random order), greyscale,
    Gaussian blur.

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

    Raises:
        InputError: A probability, scale or strength is out of range.
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
        self.size, self.num_views, self.window = size, num_views, window
        self.crop_scale, self.crop_ratio = tuple(crop_scale), tuple(crop_ratio)
        self.flip_prob, self.vertical_flip_prob = flip_prob, vertical_flip_prob
        self.jitter, self.jitter_prob = tuple(jitter), jitter_prob
        self.grey_prob, self.blur_prob, self.blur_sigma = grey_prob, blur_prob, tuple(blur_sigma)

    def transform(self, results: dict) -> dict:
        """Draw the views."""
        image = self._window(results['img'])
        results['img'] = [self.view(image) for _ in range(self.num_views)]
        results['img_shape'] = (self.size, self.size)
        return results

    def _window(self, image: np.ndarray) -> np.ndarray:
        if self.window is None:
            return image
        height, width = (min(self.window, side) for side in image.shape[:2])
        row = np.random.randint(image.shape[0] - height + 1)
        column = np.random.randint(image.shape[1] - width + 1)
        return image[row : row + height, column : column + width]

    def view(self, image: np.ndarray) -> np.ndarray:
        """Draw one view of a BGR uint8 image, shape (size, size, 3)."""
        row, column, height, width = crop_window(*image.shape[:2], self.crop_scale, self.crop_ratio)
        view = resize(image[row : row + height, column : column + width], self.size)
        if np.random.rand() < self.flip_prob:
            view = cv2.flip(view, 1)
        if np.random.rand() < self.vertical_flip_prob:
            view = cv2.flip(view, 0)
        if np.random.rand() < self.jitter_prob:
            view = self._jitter(view)
        if np.random.rand() < self.grey_prob:
            view = grey_of(view)
        if np.random.rand() < self.blur_prob:
            view = cv2.GaussianBlur(view, (0, 0), np.random.uniform(*self.blur_sigma))
        return np.ascontiguousarray(view)

    def _jitter(self, view: np.ndarray) -> np.ndarray:
        steps = (adjust_brightness, adjust_contrast, adjust_saturation)
        for step in np.random.permutation(4):
            strength = self.jitter[step]
            if step == 3:
                view = adjust_hue(view, np.random.uniform(-strength, strength)) if strength else view
            elif strength:
                view = steps[step](view, np.random.uniform(max(0.0, 1 - strength), 1 + strength))
        return view
