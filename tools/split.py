"""Draw lists of labelled training patches, by share and seed or as published; or check lists for leaks.

A list holds every class where possible. For one seed, the 1 % list is part of the 5 % list, which is part of the 10 %
list.

A check compares training lists with test lists, and ends with exit status 1 if they share patches, images, tiles or
ground, or have patches that look alike.

Example:
    python tools/split.py data/potsdam --fractions 0.01 0.05 0.1 --seeds 0 1 2
    python tools/split.py data/potsdam --published potsdam_1pct_138 potsdam_val_1500
    python tools/split.py data/potsdam --check
    python tools/split.py data/potsdam --check train_1pct downloads/their_test.txt --names '(?P<image>.+)_\\d+$'
"""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # this clone, from any folder, installed or not

if TYPE_CHECKING:
    from rich.table import Table

    from projects.false.patch_folder.labelled_lists import NewList

from projects.false.common.command_line import report_input_errors
from projects.false.patch_folder.published_lists import PUBLISHED_LISTS

KINDS = ('patch', 'image', 'tile', 'overlap', 'touch', 'look-alike')  # of leaks


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('data_root', metavar='DATA', help='folder as a converter leaves it')
    parser.add_argument('--fractions', type=float, nargs='+', default=[], metavar='F', help='shares, such as 0.01 0.05')
    parser.add_argument('--seeds', type=int, nargs='+', default=[0], metavar='S', help='seeds of the draws (0)')
    parser.add_argument('--published', nargs='+', default=[], metavar='NAME', help=', '.join(PUBLISHED_LISTS))
    parser.add_argument('--overwrite', action='store_true', help='replace lists whose content differs')
    check = parser.add_argument_group('check for leaks')
    check.add_argument('--check', nargs='*', metavar='LIST', help='lists in DATA/splits, or text files (all of splits)')
    check.add_argument('--names', metavar='REGEX', help='finds image, tile, row, col in names that DATA does not know')
    check.add_argument('--tile', metavar='REGEX', help="finds in an image's name its tile (what precedes _part_NUMBER)")
    check.add_argument('--allow', nargs='+', default=[], choices=KINDS, metavar='KIND', help=', '.join(KINDS))
    check.add_argument('--workers', type=int, help='images read at the same time (default: CPU cores, at most 8)')
    options = parser.parse_args(arguments)
    draws = [f'--{name}' for name in ('fractions', 'published', 'overwrite') if getattr(options, name)]
    checks = [f'--{name}' for name in ('names', 'tile', 'allow', 'workers') if getattr(options, name) not in (None, [])]
    if options.check is not None and draws:
        parser.error(f'{draws[0]} draws lists and --check writes none; give one of them')
    if options.check is None and checks:
        parser.error(f'{checks[0]} is for --check; add it')
    return options


@report_input_errors
def main(arguments: list[str] | None = None) -> int:
    """Write the lists and print what is in them, or check lists and print what they share."""
    options = parse_arguments(arguments)
    return _check(options) if options.check is not None else _draw(options)


def _check(options: argparse.Namespace) -> int:
    from projects.false.label_audit.leaks import PART, check_leaks

    result = check_leaks(options.data_root, options.check, options.names, options.tile or PART, options.workers)
    for line in result.lines(options.allow):
        print(line)
    return int(result.found(options.allow))


def _draw(options: argparse.Namespace) -> int:
    from rich.console import Console

    from projects.false.patch_folder.labelled_lists import write_lists

    lists = write_lists(options.data_root, options.fractions, options.seeds, options.published, options.overwrite)
    console = Console()
    console.print(_table(lists))
    if lists[0].nowhere:
        console.print(f'note: no training patch shows: {", ".join(lists[0].nowhere)}', highlight=False, markup=False)
    if options.published:
        console.print('note: published patches are numbered row by row; that order is our reading', highlight=False)
    console.print(f'lists are in {Path(options.data_root) / "splits"}', highlight=False, markup=False, soft_wrap=True)
    return 0


def _table(lists: 'list[NewList]') -> 'Table':
    from rich.box import SIMPLE_HEAD
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, padding=(0, 1))
    table.add_column('list', no_wrap=True)
    for heading in ('patches', 'labelled pixels', 'classes'):
        table.add_column(heading, justify='right')
    table.add_column('missing classes')
    table.add_column('file')
    for entry in lists:
        classes = f'{(entry.pixels > 0).sum()} of {len(entry.pixels)}'
        missing = escape(', '.join(entry.missing)) or 'none'
        table.add_row(entry.name, f'{len(entry.names):,}', f'{entry.pixels.sum():,}', classes, missing, entry.state)
    return table


if __name__ == '__main__':
    sys.exit(main())
