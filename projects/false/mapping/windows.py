"""Where the model looks: the windows over an image, and how much each of their pixels counts."""

from dataclasses import dataclass, field

import numpy as np

from projects.false.errors import InputError
from projects.false.imagery.windows import starts

BLENDS = ('smooth', 'uniform')


@dataclass(frozen=True)
class WindowPlan:
    """The windows of an image, row by row: no more than it takes to cover it at this stride.

    The last row and column of windows are shifted inwards. An image smaller than the window is mirrored at its right
    and lower border until it fills one.

    Args:
        height: Image height in pixels.
        width: Image width in pixels.
        window: Side of the square windows in pixels, at least 1.
        overlap: Share of a window that neighbouring windows have in common, in [0, 1).
        blend: Weight of the pixels of a window: ``'smooth'`` rises as a raised cosine over the overlap, ``'uniform'``
            is 1 everywhere, as in mmseg's slide mode.

    Raises:
        InputError: A value is out of range.

    Example:
        >>> plan = WindowPlan(5, 8, window=4, overlap=0.5)
        >>> plan.rows, plan.columns
        ((0, 1), (0, 2, 4))
    """

    height: int
    width: int
    window: int
    overlap: float = 0.5
    blend: str = 'smooth'
    rows: tuple[int, ...] = field(init=False)
    columns: tuple[int, ...] = field(init=False)

    def __post_init__(self):
        if self.window < 1:
            raise InputError(f'window is {self.window} pixels; give at least 1')
        if not 0 <= self.overlap < 1:
            raise InputError(f'overlap is {self.overlap}; give a share of the window from 0 to below 1, such as 0.5')
        if self.blend not in BLENDS:
            raise InputError(f'blend is {self.blend!r}; give one of {", ".join(BLENDS)}')
        for name, length in (('rows', self.height), ('columns', self.width)):
            object.__setattr__(self, name, tuple(starts(max(length, self.window), self.window, self.stride)))

    @property
    def stride(self) -> int:
        """Distance of neighbouring windows in pixels."""
        return max(1, round(self.window * (1 - self.overlap)))

    def finished_rows(self, row: int) -> int:
        """How many image rows no later window touches once a row of windows is done, from its first one on."""
        last = row + 1 == len(self.rows)
        return (self.height if last else self.rows[row + 1]) - self.rows[row]

    def profile(self) -> np.ndarray:
        """Weight along one side of a window; that of a pixel is the product of both sides.

        Never 0, so that what lies under one window only counts in full after division by the sum of the weights.

        Shape:
            - result: (window,), float32
        """
        weight = np.ones(self.window, np.float32)
        ramp = self.window - self.stride
        if self.blend == 'smooth' and ramp:
            rise = np.sin(np.pi / 2 * (np.arange(ramp) + 0.5) / ramp) ** 2
            weight[:ramp] *= rise.astype(np.float32)
            weight[self.window - ramp :] *= rise[::-1].astype(np.float32)
        return weight

    def weight_sums(self) -> tuple[np.ndarray, np.ndarray]:
        """Sums of the weights of all windows, for every row and every column: a pixel's is the product of the two.

        Shape:
            - result: (height,) and (width,), float32
        """
        found = []
        for firsts, length in ((self.rows, self.height), (self.columns, self.width)):
            total = np.zeros(max(length, self.window), np.float32)
            for first in firsts:
                total[first : first + self.window] += self.profile()
            found.append(total[:length])
        return found[0], found[1]
