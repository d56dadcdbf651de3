"""Shared by all converters: :class:`CutOptions`, names of bands, and the closing lines on the terminal."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from rich.console import Console

from projects.false.common.errors import InputError
from projects.false.common.threads import count_workers
from projects.false.imagery.image_files import describe_left_out
from projects.false.imagery.palettes import Palette, to_hex
from projects.false.imagery.windows import grid
from projects.false.patch_folder.description import Conversion, summary_table
from projects.false.patch_folder.labelled_lists import label_subset

RGB = ('red', 'green', 'blue')
_LEFT_OUT = {  # what the sources of dataset.json count -> the windows in words
    'windows_without_data': 'without data',
    'held_out_without_label': 'of the areas for testing or validation that hold no label',
}


@dataclass(frozen=True)
class CutOptions:
    """Options for cutting a labelled data set into patches.

    Args:
        patch_size: Side of the patches in pixels, at least 1.
        stride: Distance between neighbouring patches in pixels, 1 to ``patch_size``; None stands for ``patch_size``.
        label_fractions: Shares of the training patches, in (0, 1]; each gives a list
            ``splits/train_<percent>pct.txt``.
        seed: Seed of all draws, at least 0.
        workers: Number of images cut at the same time; None takes the number of CPU cores, at most 8. The output does
            not depend on it. Each worker holds an image and its mask in memory.
        overwrite: Replace an earlier output.
        shrink: Side in pixels of the blocks that become one pixel before cutting, at least 1: images take the average,
            masks the most common class. The other sizes count shrunk pixels.

    Raises:
        InputError: A value is out of range.
    """

    patch_size: int
    stride: int | None = None
    label_fractions: Sequence[float] = (0.01,)
    seed: int = 0
    workers: int | None = None
    overwrite: bool = False
    shrink: int = 1

    def __post_init__(self) -> None:
        count_workers(self.workers)
        check_window(self.patch_size, self.step)
        if self.shrink < 1:
            raise InputError(f'shrink is {self.shrink}; give 1 to keep the pixels as they are, or more')
        for fraction in self.label_fractions:
            label_subset(['any'], np.ones((1, 1)), fraction, self.seed)

    @property
    def step(self) -> int:
        """Distance between neighbouring patches in pixels."""
        return self.patch_size if self.stride is None else self.stride

    def arguments(self, palette: Palette, bands: Sequence[str]) -> dict[str, object]:
        """Return the options that the output depends on, as plain values for ``dataset.json``."""
        return {
            'palette': palette.name,
            'classes': list(palette.classes),
            'colors': [to_hex(color) for color in (*palette.colors, *palette.ignore_colors)],
            'bands': list(bands),
            'patch_size': self.patch_size,
            'stride': self.step,
            **({'shrink': self.shrink} if self.shrink > 1 else {}),  # absent in data that were made without the option
            'label_fractions': sorted(set(self.label_fractions)),
            'seed': self.seed,
            **({'tolerance': palette.tolerance} if palette.tolerance else {}),
        }


def check_window(patch_size: int, stride: int) -> None:
    """Refuse a patch size below 1, or a stride outside 1 to ``patch_size``.

    Raises:
        InputError: One of them is out of range.
    """
    side = max(patch_size, 1)
    grid(side, side, patch_size, stride)


def band_names(count: int) -> tuple[str, ...]:
    """Name the bands of an image if only their number is known.

    Raises:
        InputError: ``count`` is below 1.
    """
    if count < 1:
        raise InputError(f'bands is {count}; give at least 1')
    if count < 3:
        return ('grey', 'band 2')[:count]
    return (*RGB, *(f'band {number}' for number in range(4, count + 1)))


def take_cut_options(options: dict[str, Any]) -> CutOptions:
    """Remove the options of :class:`CutOptions` from the parsed ones and return them.

    Raises:
        InputError: A value is out of range.
    """
    return CutOptions(**{field.name: options.pop(field.name) for field in fields(CutOptions)})


def print_conversion(conversion: Conversion, out: str, notes: Sequence[str] = ()) -> None:
    """Print classes and splits, then the notes, then the last line.

    Args:
        conversion: A labelled data set.
        out: Output folder as the user gave it.
        notes: Remarks on this data set for the user.
    """
    console = Console()
    description = conversion.description
    console.print(summary_table(description))
    missing = [
        f'{name} has no pixel of: {", ".join(split["missing_classes"])}'
        for name, split in description['splits'].items()
        if split.get('missing_classes')
    ]
    bare = sum(source.get('mask', '') is None for source in description['sources'].values())
    if bare:
        missing.append(f'{bare} of {len(description["sources"])} images have no mask')
    alone = sum(patch['split'] == 'pretrain' for patch in description['patches'])
    if alone:
        missing.append(f'{alone} patches without a label are only in splits/pretrain.txt')
    for key, reason in _LEFT_OUT.items():
        count = sum(source.get(key, 0) for source in description['sources'].values())
        if count:
            missing.append(f'{count} windows {reason} are left out')
    nearest = description.get('nearest_color')
    if nearest:
        missing.append(
            f'{nearest["moved_share"]:.3%} of the mask pixels became the nearest color, at a distance of at most '
            f'{nearest["largest_distance"]:g} (tolerance {nearest["tolerance"]:g})'
        )
    for note in (*missing, *notes):
        console.print(f'note: {note}', highlight=False, markup=False)
    print_outcome(conversion, out)


def print_outcome(conversion: Conversion, out: str) -> None:
    """Print the last line: how many patches were written, or that the output was complete before."""
    count = len(conversion.description['patches'])
    if conversion.done_before:
        line = f'done before with the same arguments: {count} patches in {out}'
    else:
        line = f'wrote {count} patches to {out}'
    console = Console(soft_wrap=True)
    notes = [f'note: {note}' for note in conversion.notes]
    for text in (*notes, describe_left_out(conversion.description.get('left_out', {})), line):
        if text:
            console.print(text, markup=False)
