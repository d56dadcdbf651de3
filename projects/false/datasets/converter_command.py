"""Options and closing lines that the command lines of the converters share."""

import argparse

from rich.console import Console

from projects.false.converters.options import CutOptions
from projects.false.patch_folder.description import Conversion

from .description import summary_table

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
