"""List the recipes, or copy one with its bases to a folder of your own.

Example:
    python tools/misc/configs.py list
    python tools/misc/configs.py copy upernet_r18_mbrsc my_configs
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # this clone, from any folder, installed or not

from projects.false.common.command_line import report_input_errors
from projects.false.common.recipes import copy_recipe, recipe_names, recipe_summary


def list_recipes(options: argparse.Namespace) -> None:
    """Print names and summaries."""
    names = [name for name in recipe_names() if options.part in name]
    width = max(map(len, names), default=0) + 2
    for name in names:
        print(f'{name:{width}}{recipe_summary(name)}')
    if not names:
        print(f'no recipe has {options.part!r} in its name', file=sys.stderr)


def copy(options: argparse.Namespace) -> None:
    """Copy one and print what to do with it."""
    copies = copy_recipe(options.recipe, options.folder)
    print(f'wrote {copies[0]} and {len(copies) - 1} bases; change it, or inherit from it: _base_ = {str(copies[0])!r}')


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    tasks = parser.add_subparsers(required=True, metavar='list | copy')
    listing = tasks.add_parser('list', help='print names and what they are for')
    listing.add_argument('part', nargs='?', default='', help='only names that have this text in them')
    listing.set_defaults(task=list_recipes)
    copying = tasks.add_parser('copy', help='copy one with all that it inherits from')
    copying.add_argument('recipe', help='name of the recipe, such as upernet_r18_mbrsc')
    copying.add_argument('folder', metavar='DEST', help='folder to copy to, made as needed')
    copying.set_defaults(task=copy)
    return parser.parse_args(arguments)


@report_input_errors
def main(arguments: list[str] | None = None) -> None:
    """List or copy."""
    options = parse_arguments(arguments)
    options.task(options)


if __name__ == '__main__':
    sys.exit(main())
