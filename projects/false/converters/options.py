"""How images are cut into patches, checked before any work."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from projects.false.common.threads import count_workers
from projects.false.datasets.palette import Palette, to_hex
from projects.false.datasets.splits import label_subset
from projects.false.errors import InputError
from projects.false.imagery.windows import grid

RGB = ('red', 'green', 'blue')


@dataclass(frozen=True)
class CutOptions:
    """How to cut, whatever the data set.

    Args:
        patch_size: Side of the patches in pixels, at least 1.
        stride: Distance of neighbouring patches in pixels, 1 to ``patch_size``; None stands for ``patch_size``.
        label_fractions: Shares of the training patches, each with a list ``splits/train_<percent>pct.txt``.
        seed: Seed of the draws, at least 0.
        workers: Images cut at the same time; None takes the number of CPU cores, at most 8. The output does not
            depend on it; every one holds an image and its mask in memory.
        overwrite: Replace an earlier output.

    Raises:
        InputError: A value is out of range.
    """

    patch_size: int
    stride: int | None = None
    label_fractions: Sequence[float] = (0.01,)
    seed: int = 0
    workers: int | None = None
    overwrite: bool = False

    def __post_init__(self):
        object.__setattr__(self, 'stride', self.patch_size if self.stride is None else self.stride)
        count_workers(self.workers)
        grid(max(self.patch_size, 1), max(self.patch_size, 1), self.patch_size, self.stride)
        for fraction in self.label_fractions:
            label_subset(['any'], np.ones((1, 1)), fraction, self.seed)

    def arguments(self, palette: Palette, bands: Sequence[str]) -> dict[str, object]:
        """What the output depends on, for ``dataset.json``."""
        return {
            'palette': palette.name,
            'classes': list(palette.classes),
            'colors': [to_hex(color) for color in (*palette.colors, *palette.ignore_colors)],
            'bands': list(bands),
            'patch_size': self.patch_size,
            'stride': self.stride,
            'label_fractions': sorted(set(self.label_fractions)),
            'seed': self.seed,
        }


def band_names(count: int) -> tuple[str, ...]:
    """Names of the bands of an image of which only their number is known.

    Raises:
        InputError: Less than one.
    """
    if count < 1:
        raise InputError(f'bands is {count}; give at least 1')
    return (*RGB, *(f'band {number}' for number in range(4, count + 1))) if count >= 3 else ('grey', 'band 2')[:count]
