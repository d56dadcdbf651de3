"""Cut images of FLAIR #1 (IGN, France) into patches of nine classes, split by zones or strips of ground.

SRC holds the published GeoTIFFs (D034_2021/Z4_UU/img/IMG_*.tif, .../msk/MSK_*.tif), zipped or unpacked, or a reduced
copy: images/*.jpg, masks/*.png and index.csv (name, zone, x0, y0, split), whose val images are for testing. ZONE is a
zone (Z4_UU), a domain (D034_2021), both (D034_2021_Z4_UU), or a pattern ('D034*').

Example:
    python tools/dataset_converters/flair.py DOWNLOAD data/flair --shrink 2 --val-zones 'D004*' --test-zones 'D012*' \\
        --label-fractions 0.05
    python tools/dataset_converters/flair.py REDUCED data/flair --shrink 2 --val-strip 2 --label-fractions 0.05
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
    parser.add_argument('source', metavar='SRC', help='folder of the download, or of a reduced copy')
    parser.add_argument('out', metavar='OUT', help='folder to make')
    parser.add_argument('--bands', choices=['rgb', 'rgbir'], default='rgb', help='with near infrared or not (rgb)')
    for split, text in (
        ('train', 'zones to train on (default: all others)'),
        ('val', 'zones to choose settings on'),
        ('test', 'zones to report on; not with index.csv'),
    ):
        parser.add_argument(f'--{split}-zones', nargs='+', default=[], metavar='ZONE', help=text)
    text = 'with index.csv: choose settings on N rows or columns of images per zone, opposite to its test images'
    parser.add_argument('--val-strip', type=int, default=0, metavar='N', help=text)
    add_cut_options(parser, patch_size=128)
    return parser.parse_args(arguments)


@report_input_errors
def main(arguments: list[str] | None = None) -> None:
    options = vars(parse_arguments(arguments))

    from projects.false.converters.flair import convert_flair
    from projects.false.converters.options import print_conversion, take_cut_options

    conversion = convert_flair(options=take_cut_options(options), **options)
    notes = []
    if 'test' not in conversion.description['splits']:
        held = 'holds the val patches' if 'val' in conversion.description['splits'] else 'is absent'
        notes = [f'no --test-zones; splits/test.txt, which the upernet recipes evaluate on, {held}']
    print_conversion(conversion, options['out'], notes)


if __name__ == '__main__':
    sys.exit(main())
