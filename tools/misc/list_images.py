"""List the files in folders that every tool takes as imagery, and those that are left out, with the reason.

Example:
    python tools/misc/list_images.py SCENES
    python tools/misc/list_images.py SCENES --left-out > left_out.txt
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # this clone, from any folder, installed or not

from projects.false.common.command_line import check_source, report_input_errors


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('folders', metavar='FOLDER', nargs='+', help='searched with all folders below')
    parser.add_argument('--left-out', action='store_true', help='only the files that are left out')
    return parser.parse_args(arguments)


@report_input_errors
def main(arguments: list[str] | None = None) -> None:
    """Print one line per file; hidden files and those that belong to an image are not listed."""
    options = parse_arguments(arguments)
    for folder in options.folders:
        check_source(folder)

    from projects.false.common.errors import InputError
    from projects.false.common.files import check_name, readable
    from projects.false.imagery.image_files import list_imagery

    for folder in map(Path, options.folders):
        listing = list_imagery(folder)
        for name in () if options.left_out else listing.names:
            try:
                check_name(folder / name)
                print(folder / name)
            except InputError as error:
                print(f'{readable(folder / name)}: unusable ({str(error).partition(": ")[2]})')
        for name, why in sorted(listing.left_out.items()):
            print(f'{readable(folder / name)}: left out ({why})')


if __name__ == '__main__':
    sys.exit(main())
