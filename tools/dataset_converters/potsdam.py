"""Cut the ISPRS Potsdam download into patches: 24 tiles to train, 14 to test.

SRC is the folder with 2_Ortho_RGB.zip and 5_Labels_all.zip, or with their content; nothing needs to be unpacked.

Example:
    python tools/dataset_converters/potsdam.py DOWNLOAD data/potsdam
    python tools/dataset_converters/potsdam.py DOWNLOAD data/potsdam_4 --bands rgbir --exclude 7_10
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # this clone, from any folder, installed or not

from projects.false.common.command_line import report_input_errors
from projects.false.converters.arguments import add_cut_options


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('source', metavar='SRC', help='folder of the download, zipped or unpacked')
    parser.add_argument('out', metavar='OUT', help='folder to make')
    parser.add_argument('--bands', choices=['rgb', 'irrg', 'rgbir'], default='rgb', help='which imagery (default: rgb)')
    parser.add_argument('--labels', choices=['all', 'no-boundary'], default='all', help='with borders or without (all)')
    parser.add_argument('--exclude', nargs='+', default=[], metavar='TILE', help='tiles to leave out, such as 7_10')
    parser.add_argument('--val-tiles', nargs='+', default=[], metavar='TILE', help='train tiles to validate on instead')
    add_cut_options(parser, patch_size=256)
    return parser.parse_args(arguments)


@report_input_errors
def main(arguments: list[str] | None = None) -> None:
    options = vars(parse_arguments(arguments))

    from projects.false.converters.options import print_conversion, take_cut_options
    from projects.false.converters.potsdam import convert_potsdam, geometry_notes

    conversion = convert_potsdam(options=take_cut_options(options), **options)
    print_conversion(conversion, options['out'], geometry_notes(conversion.description))


if __name__ == '__main__':
    sys.exit(main())
