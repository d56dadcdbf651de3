"""How images are cut into patches, as checked options and as arguments of a command line."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from rich.console import Console

from projects.false.common.errors import InputError
from projects.false.common.threads import count_workers
from projects.false.imagery.palettes import Palette, to_hex
from projects.false.imagery.windows import grid
from projects.false.patch_folder.description import Conversion, summary_table
from projects.false.patch_folder.labelled_lists import label_subset

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


_CUT = ('patch_size', 'stride', 'label_fractions', 'seed', 'workers', 'overwrite')


def add_cut_options(parser: argparse.ArgumentParser, patch_size: int | None = None) -> None:
    """Add the options of :class:`CutOptions`.

    Args:
        patch_size: Default; None demands the option.
    """
    text = 'side of the patches in pixels' + (f' (default: {patch_size})' if patch_size else '')
    parser.add_argument('--patch-size', type=int, required=patch_size is None, default=patch_size, help=text)
    parser.add_argument('--stride', type=int, help='distance of neighbouring patches in pixels (default: patch size)')
    parser.add_argument('--label-fractions', type=float, nargs='+', default=[0.01], metavar='F', help='default: 0.01')
    parser.add_argument('--seed', type=int, default=0, help='seed of what is drawn (default: 0)')
    add_run_options(parser)


def add_run_options(parser: argparse.ArgumentParser) -> None:
    """Add what does not change the output: workers and overwrite."""
    parser.add_argument('--workers', type=int, help='images cut at the same time (default: CPU cores, at most 8)')
    parser.add_argument('--overwrite', action='store_true', help='replace an earlier output')


def take_cut_options(options: dict) -> CutOptions:
    """Take the options of :class:`CutOptions` out of the parsed ones.

    Raises:
        InputError: A value is out of range.
    """
    return CutOptions(**{name: options.pop(name) for name in _CUT})


def print_conversion(conversion: Conversion, out: str, notes: list[str] | None = None) -> None:
    """Print classes and splits, what is worth a note, and what was written."""
    console = Console()
    description = conversion.description
    console.print(summary_table(description))
    missing = [
        f'{name} has no pixel of: {", ".join(split["missing_classes"])}'
        for name, split in description['splits'].items()
        if split.get('missing_classes')
    ]
    for note in [*missing, *(notes or [])]:
        console.print(f'note: {note}', highlight=False)
    print_outcome(conversion, out)


def print_outcome(conversion: Conversion, out: str) -> None:
    """Print the last line: patches written, or done before."""
    count = len(conversion.description['patches'])
    done = 'done before with the same arguments:' if conversion.done_before else 'wrote'
    Console(soft_wrap=True).print(f'{done} {count} patches {"in" if conversion.done_before else "to"} {out}')
