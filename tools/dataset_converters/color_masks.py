"""Cut images with colour masks into patches for pretraining and segmentation.

Example:
    python tools/dataset_converters/color_masks.py IMAGES MASKS OUT --palette mbrsc --patch-size 128
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # this clone, from any folder, installed or not

from projects.false.common.command_line import report_input_errors
from projects.false.converters.arguments import add_cut_options

PALETTES = ('potsdam', 'dglc', 'xiangtan', 'mbrsc', 'synthetic', 'flair')


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('images', metavar='IMAGES', help='folder of 8-bit images that GDAL reads')
    parser.add_argument('masks', metavar='MASKS', help='folder of masks with the same file stems')
    parser.add_argument('out', metavar='OUT', help='folder to make')
    parser.add_argument('--palette', required=True, help=f'{", ".join(PALETTES)}, or a JSON file')
    parser.add_argument('--classes', nargs='+', metavar='NAME', help="class names in place of the palette's")
    parser.add_argument('--val-list', help='text file with image stems or patterns for validation, one per line')
    parser.add_argument('--test-list', help='text file with image stems or patterns for testing, one per line')
    parser.add_argument('--bands', type=int, default=3, help='bands of the images, red, green, blue first (default: 3)')
    nearest = 'largest distance in RGB at which a color of a lossy mask becomes the nearest one listed (default: 0)'
    parser.add_argument('--nearest-color', type=float, metavar='N', help=nearest)
    parser.add_argument(
        '--allow-unlabelled', action='store_true', help='cut images without a mask, too, for pretraining only'
    )
    add_cut_options(parser)
    return parser.parse_args(arguments)


@report_input_errors
def main(arguments: list[str] | None = None) -> None:
    options = vars(parse_arguments(arguments))

    from projects.false.common.files import check_outside
    from projects.false.converters.color_masks import convert_color_masks
    from projects.false.converters.options import print_conversion, take_cut_options
    from projects.false.imagery.palettes import load_palette

    check_outside(options['out'], options['palette'])  # a file, or a name that is no path into the output
    palette = load_palette(options.pop('palette'))
    classes = options.pop('classes')
    nearest = options.pop('nearest_color')
    if nearest is not None:
        palette = palette.with_tolerance(nearest)
    if classes:
        palette = palette.with_classes(classes)
    conversion = convert_color_masks(palette=palette, options=take_cut_options(options), **options)
    notes = []
    if not options['test_list']:
        held = 'holds the val patches' if options['val_list'] else 'is absent: give --val-list or --test-list'
        notes = [f'no --test-list; splits/test.txt, which the upernet recipes evaluate on, {held}']
    print_conversion(conversion, options['out'], notes)


if __name__ == '__main__':
    sys.exit(main())
