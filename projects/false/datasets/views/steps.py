"""The colour steps of a view: drawn once beside the crop, then applied by the loader or on the training device.

Drawing needs random numbers but no pixels, and applying needs pixels but no random numbers. Both backends therefore
apply the same draws, made under the seed of the sample: views depend neither on the number of workers or processes nor
on an interruption.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from projects.false.common.errors import InputError, check_pair, is_number

BRIGHTNESS, CONTRAST, SATURATION, HUE = range(4)  # also the positions of their strengths and amounts
ORDER = (BRIGHTNESS, CONTRAST, SATURATION, HUE)
NEUTRAL = (1.0, 1.0, 1.0, 0.0)


class ViewSteps(NamedTuple):
    """Colour jitter, greyscale and blur of one view, as drawn.

    Args:
        order: All four jitter steps, in the order in which they are taken.
        amounts: Factors of brightness, contrast and saturation, and shift of the hue in [-0.5, 0.5] of a full circle. A
            step whose amount is that of :data:`NEUTRAL` is left out.
        grey: Replace the colours by luma, after the jitter.
        sigma: Standard deviation of the blur in pixels, the last step; 0 leaves it out.
    """

    order: tuple[int, ...] = ORDER
    amounts: tuple[float, ...] = NEUTRAL
    grey: bool = False
    sigma: float = 0.0

    def row(self) -> list[float]:
        """Return the steps as ten numbers: order, amounts, grey, sigma."""
        return [*self.order, *self.amounts, float(self.grey), self.sigma]


@dataclass(frozen=True)
class ColorSteps:
    """The distribution that the colour steps of a view are drawn from.

    Args:
        jitter: Strengths of brightness, contrast and saturation (each factor in [1 - s, 1 + s], never below 0) and of
            hue (shift in [-s, s] of a full circle, s at most 0.5).
        jitter_prob, grey_prob, blur_prob: Probabilities of jitter, greyscale and blur, in [0, 1].
        blur_sigma: Range of the standard deviation of the blur in pixels.

    Raises:
        InputError: A probability or strength is out of range.
    """

    jitter: Sequence[float] = (0.8, 0.8, 0.8, 0.2)
    jitter_prob: float = 0.8
    grey_prob: float = 0.2
    blur_prob: float = 0.5
    blur_sigma: Sequence[float] = (0.1, 2.0)

    def __post_init__(self) -> None:
        for name in ('jitter_prob', 'grey_prob', 'blur_prob'):
            check_probability(name, getattr(self, name))
        if not _numbers(self.jitter, 4) or min(self.jitter) < 0 or self.jitter[HUE] > 0.5:
            raise InputError(
                f'jitter of ContrastiveViews is four strengths >= 0, the hue at most 0.5, got {self.jitter!r}'
            )

        check_pair('blur_sigma of ContrastiveViews', self.blur_sigma, math.inf)

    def draw(self) -> ViewSteps:
        """Draw the steps of one view from NumPy's global generator; the order of the draws is part of a run's seed."""
        order, amounts = self._draw_jitter() if np.random.random_sample() < self.jitter_prob else (ORDER, NEUTRAL)
        grey = np.random.random_sample() < self.grey_prob
        low, high = self.blur_sigma
        sigma = uniform(low, high) if np.random.random_sample() < self.blur_prob else 0.0
        return ViewSteps(order, amounts, grey, sigma)

    def _draw_jitter(self) -> tuple[tuple[int, ...], tuple[float, ...]]:
        order = np.random.permutation(4).tolist()
        amounts = list(NEUTRAL)
        for step in order:
            strength = self.jitter[step]
            if strength:
                low = -strength if step == HUE else max(0.0, 1 - strength)
                amounts[step] = uniform(low, strength if step == HUE else 1 + strength)
        return tuple(order), tuple(amounts)


def uniform(low: float, high: float) -> float:
    """Draw the number that ``np.random.uniform`` would, in a third of its time; a view draws up to seven."""
    return low + (high - low) * np.random.random_sample()


def _numbers(values: object, count: int) -> bool:
    return isinstance(values, list | tuple) and len(values) == count and all(is_number(value) for value in values)


def check_probability(name: str, value: float) -> None:
    """Refuse a value of ContrastiveViews that is not in [0, 1]."""
    if not is_number(value) or not 0 <= value <= 1:
        raise InputError(f'{name} of ContrastiveViews is a probability in [0, 1], got {value!r}')
