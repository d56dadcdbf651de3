"""Cut images with polygons, lines and points as labels into patches for pretraining and segmentation.

LABELS are GeoPackage, GeoJSON, Shapefile or FlatGeobuf in any reference system; 'FILE|layername=NAME' names one
of several layers. Pixels that no label covers are ignored (255). Patches without any label are only for pretraining.

Example:
    python tools/dataset_converters/vectors.py ortho.tif labels.gpkg data/mine --class-field class --patch-size 128
    python tools/dataset_converters/vectors.py images/ a.shp b.geojson data/mine --class-field kind --patch-size 128 \\
        --priority building road --buffer 1.5 --area surveyed.gpkg --test-area test.gpkg
"""

import argparse
import sys
from dataclasses import fields
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # this clone, from any folder, installed or not

from projects.false.common.command_line import report_input_errors
from projects.false.converters.arguments import add_cut_options


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add('images', metavar='IMAGES', help='an image with a reference system, or a folder of them')
    add('labels', metavar='LABELS', nargs='+', help='files with the labels')
    add('out', metavar='OUT', help='folder to make')
    add('--class-field', required=True, metavar='NAME', help='field that holds the class')
    add('--classes', nargs='+', default=[], metavar='NAME', help='classes by index (default: all that occur, sorted)')
    add('--palette', help='a known palette or a JSON file: classes by index, with colors')
    add('--ignore', nargs='+', default=[], metavar='NAME', help='values that are no class: their pixels are ignored')
    add('--priority', nargs='+', default=[], metavar='NAME', help='classes that win where polygons overlap, first wins')
    add('--buffer', type=float, metavar='M', help='metres that lines and points reach to each side')
    add('--area', metavar='FILE', help='polygons where labels count; pixels outside are ignored')
    add('--background', metavar='CLASS', help='class of pixels in the area that no label covers (default: ignored)')
    add('--val-area', metavar='FILE', help='polygons whose patches are for validation')
    add('--test-area', metavar='FILE', help='polygons whose patches are for testing')
    add('--val-list', help='text file with image stems or patterns for validation, one per line')
    add('--test-list', help='text file with image stems or patterns for testing, one per line')
    add('--bands', type=int, nargs='+', metavar='N', help='bands to take, from 1, red first')
    scale = parser.add_mutually_exclusive_group()
    percentiles = 'percentages of the pixels that become 0 and 255 (default: 2 98 for 16 bit, none for 8 bit)'
    scale.add_argument('--stretch', type=float, nargs=2, metavar=('LOW', 'HIGH'), help=percentiles)
    values = 'values that become 0 and 255 in every band; needed for floating-point pixels'
    scale.add_argument('--range', type=float, nargs=2, metavar=('LOW', 'HIGH'), dest='value_range', help=values)
    add_cut_options(parser)
    return parser.parse_args(arguments)


@report_input_errors
def main(arguments: list[str] | None = None) -> None:
    options = vars(parse_arguments(arguments))

    from projects.false.converters.options import print_conversion, take_cut_options
    from projects.false.converters.vectors import LabelOptions, PixelOptions, convert_vectors

    how = LabelOptions(**{field.name: options.pop(field.name) for field in fields(LabelOptions)})
    pixels = PixelOptions(**{field.name: options.pop(field.name) for field in fields(PixelOptions)})
    conversion = convert_vectors(how=how, pixels=pixels, options=take_cut_options(options), **options)
    description = conversion.description
    notes = list(description['mended_labels'])
    notes += [
        f'{one["wins"]!r} and {one["loses"]!r} overlap on {one["pixels"]} pixels, which become {one["wins"]!r}'
        for one in description['overlaps']
    ]
    between = sum(source.get('windows_between_splits', 0) for source in description['sources'].values())
    if between:
        notes.append(f'left out {between} windows that overlap patches for validation or test')
    if 'test' not in description['splits']:
        held = (
            'holds the val patches' if 'val' in description['splits'] else 'is absent: give --test-area or --test-list'
        )
        notes.append(f'splits/test.txt, which the upernet recipes evaluate on, {held}')
    print_conversion(conversion, options['out'], notes)


if __name__ == '__main__':
    sys.exit(main())
