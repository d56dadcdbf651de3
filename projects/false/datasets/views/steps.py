"""What is done to the colours of a view: drawn once, beside the crop, applied by the loader or by the device.

Drawing needs random numbers and no pixels, applying the other way round. So both ways of applying see the same draws,
made under the seed of the sample: views depend neither on the number of workers or processes nor on an interruption.
"""

from typing import NamedTuple

import numpy as np

BRIGHTNESS, CONTRAST, SATURATION, HUE = range(4)  # also the places of their strengths
ORDER = (BRIGHTNESS, CONTRAST, SATURATION, HUE)
NEUTRAL = (1.0, 1.0, 1.0, 0.0)


class ViewSteps(NamedTuple):
    """Colour jitter, greyscale and blur of one view.

    Attributes:
        order: The four jitter steps in the order to take them.
        amounts: Factor of brightness, contrast and saturation, and shift of the hue in [-0.5, 0.5] of a circle.
            An amount of :data:`NEUTRAL` leaves its step out.
        grey: Whether to turn the colours into luma, after the jitter.
        sigma: Standard deviation of the blur in pixels, the last step; 0 leaves it out.
    """

    order: tuple[int, int, int, int] = ORDER
    amounts: tuple[float, float, float, float] = NEUTRAL
    grey: bool = False
    sigma: float = 0.0

    def row(self) -> list[float]:
        """As ten numbers: order, amounts, grey, sigma."""
        return [*self.order, *self.amounts, float(self.grey), self.sigma]


def uniform(low: float, high: float) -> float:
    """The number that ``np.random.uniform`` would draw, in a third of its time: a view takes up to seven."""
    return low + (high - low) * np.random.random_sample()


def draw_jitter(strengths: tuple[float, ...]) -> tuple[tuple, tuple]:
    """Draw order and amounts: factors in [1 - s, 1 + s], never below 0, and a shift in [-s, s]."""
    order = tuple(np.random.permutation(4).tolist())
    amounts = list(NEUTRAL)
    for step in order:
        strength = strengths[step]
        if strength:
            low = -strength if step == HUE else max(0.0, 1 - strength)
            amounts[step] = uniform(low, strength if step == HUE else 1 + strength)
    return order, tuple(amounts)
