"""Draw lists of labelled training patches: by share and seed, or as published.

A list holds every class where possible. For one seed, the 1 % list is part of the 5 % list, and that of the 10 % list.

Example:
    python tools/split.py data/potsdam --fractions 0.01 0.05 0.1 --seeds 0 1 2
    python tools/split.py data/potsdam --published potsdam_1pct_138 potsdam_val_1500
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


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('data_root', metavar='DATA', help='folder as a converter leaves it')
    parser.add_argument('--fractions', type=float, nargs='+', default=[], metavar='F', help='shares, such as 0.01 0.05')
    parser.add_argument('--seeds', type=int, nargs='+', default=[0], metavar='S', help='seeds of the draws (0)')
    parser.add_argument('--published', nargs='+', default=[], metavar='NAME', help=', '.join(PUBLISHED_LISTS))
    parser.add_argument('--overwrite', action='store_true', help='replace lists whose content differs')
    return parser.parse_args(arguments)


@report_input_errors
def main(arguments: list[str] | None = None) -> None:
    """Write the lists and print what is in them."""
    options = parse_arguments(arguments)

    from rich.console import Console

    from projects.false.patch_folder.labelled_lists import write_lists

    lists = write_lists(**vars(options))
    console = Console()
    console.print(_table(lists))
    if lists[0].nowhere:
        console.print(f'note: no training patch shows: {", ".join(lists[0].nowhere)}', highlight=False, markup=False)
    if options.published:
        console.print('note: published patches are numbered row by row; that order is our reading', highlight=False)
    console.print(f'lists are in {Path(options.data_root) / "splits"}', highlight=False, markup=False, soft_wrap=True)


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
