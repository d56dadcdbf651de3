"""Cut Xiangtan (GF-2 images with index masks 0 to 8, not public) into patches: 85 images to train, 21 to test.

SRC is a folder or zip with the folders images and masks, at any depth. The test images are drawn by seed unless
--test-list names them. The class names come from the paper; --classes replaces them.

Example:
    python tools/dataset_converters/xiangtan.py SRC data/xiangtan
    python tools/dataset_converters/xiangtan.py SRC data/xiangtan --mask-folder labels --test-list test.txt
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
    parser.add_argument('source', metavar='SRC', help='folder or zip with images and masks')
    parser.add_argument('out', metavar='OUT', help='folder to make')
    parser.add_argument('--bands', type=int, default=3, help='bands of the images, red, green, blue first (default: 3)')
    parser.add_argument('--classes', nargs='+', metavar='NAME', help='names of the classes 0, 1, ...')
    parser.add_argument('--image-folder', default='images', metavar='NAME', help='default: images')
    parser.add_argument('--mask-folder', default='masks', metavar='NAME', help='default: masks')
    parser.add_argument('--test-list', help='text file with image stems or patterns (default: drawn by seed)')
    parser.add_argument('--val-list', help='text file with image stems or patterns for validation')
    parser.add_argument('--exclude', nargs='+', default=[], metavar='STEM', help='images to leave out')
    add_cut_options(parser, patch_size=256)
    return parser.parse_args(arguments)


@report_input_errors
def main(arguments: list[str] | None = None) -> None:
    options = vars(parse_arguments(arguments))

    from projects.false.converters.options import print_conversion, take_cut_options
    from projects.false.converters.xiangtan import convert_xiangtan

    conversion = convert_xiangtan(options=take_cut_options(options), **options)
    print_conversion(conversion, options['out'])


if __name__ == '__main__':
    sys.exit(main())
