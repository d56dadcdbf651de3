"""Command-line options that the converters share.

Nothing heavy is imported here, so that ``--help`` and mistyped options are answered at once.
"""

import argparse


def add_cut_options(parser: argparse.ArgumentParser, patch_size: int | None = None) -> None:
    """Add the options of :class:`.options.CutOptions` to a command line.

    Args:
        parser: Receives the options.
        patch_size: Default of ``--patch-size``; None makes the option required.
    """
    text = 'side of the patches in pixels' + (f' (default: {patch_size})' if patch_size else '')
    parser.add_argument('--patch-size', type=int, required=patch_size is None, default=patch_size, help=text)
    parser.add_argument(
        '--stride', type=int, help='distance between neighbouring patches in pixels (default: patch size)'
    )
    text = 'shares of the training patches to list as labelled (default: 0.01)'
    parser.add_argument('--label-fractions', type=float, nargs='+', default=[0.01], metavar='F', help=text)
    text = 'blocks of N x N pixels become one before cutting: average and most common class (default: 1)'
    parser.add_argument('--shrink', type=int, default=1, metavar='N', help=text)
    parser.add_argument('--seed', type=int, default=0, help='seed of all draws (default: 0)')
    add_run_options(parser)


def add_run_options(parser: argparse.ArgumentParser) -> None:
    """Add ``--workers`` and ``--overwrite``, which do not change the output."""
    parser.add_argument('--workers', type=int, help='images cut at the same time (default: CPU cores, at most 8)')
    parser.add_argument('--overwrite', action='store_true', help='replace an earlier output')
