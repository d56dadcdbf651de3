"""Cut the DeepGlobe Land Cover download (DGLC) into patches: 730 images to train, 73 to test.

SRC is the download, zipped or unpacked, with its folder train (ID_sat.jpg, ID_mask.png). No list of the 73
was published: they are drawn by seed and listed in the output. --test-list takes another choice.

Example:
    python tools/dataset_converters/dglc.py DOWNLOAD data/dglc
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
    parser.add_argument('source', metavar='SRC', help='folder or zip of the download')
    parser.add_argument('out', metavar='OUT', help='folder to make')
    parser.add_argument('--test-list', help='text file with the IDs to test on (default: drawn by seed)')
    parser.add_argument('--val-list', help='text file with the IDs to validate on')
    parser.add_argument('--exclude', nargs='+', default=[], metavar='ID', help='images to leave out')
    add_cut_options(parser, patch_size=512)
    return parser.parse_args(arguments)


@report_input_errors
def main(arguments: list[str] | None = None) -> None:
    options = vars(parse_arguments(arguments))

    from projects.false.converters.dglc import convert_dglc, count_notes
    from projects.false.converters.options import print_conversion, take_cut_options

    conversion = convert_dglc(options=take_cut_options(options), **options)
    print_conversion(conversion, options['out'], count_notes(conversion.description))


if __name__ == '__main__':
    sys.exit(main())
