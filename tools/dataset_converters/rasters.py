"""Cut unlabelled imagery into patches for pretraining: GeoTIFF, JPEG, PNG, JPEG 2000 ... of any size, type and bands.

Example:
    python tools/dataset_converters/rasters.py SCENES data/mine --patch-size 128
    python tools/dataset_converters/rasters.py SCENES MORE/scene.tif data/mine --patch-size 256 --bands 4 3 2
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # this clone, from any folder, installed or not

from projects.false.common.command_line import report_input_errors
from projects.false.converters.arguments import add_run_options


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('sources', metavar='SRC', nargs='+', help='images, or folders of them')
    parser.add_argument('out', metavar='OUT', help='folder to make')
    parser.add_argument('--patch-size', type=int, required=True, help='side of the patches in pixels')
    parser.add_argument(
        '--stride', type=int, help='distance between neighbouring patches in pixels (default: patch size)'
    )
    parser.add_argument(
        '--max-nodata', type=float, default=0.1, metavar='SHARE', help='largest share per patch (default: 0.1)'
    )
    scale = parser.add_mutually_exclusive_group()
    percentiles = 'percentages of the pixels that become 0 and 255 (default: 2 98 for 16 bit, none for 8 bit)'
    scale.add_argument('--stretch', type=float, nargs=2, metavar=('LOW', 'HIGH'), help=percentiles)
    values = 'values that become 0 and 255 in every band; needed for floating-point pixels'
    scale.add_argument('--range', type=float, nargs=2, metavar=('LOW', 'HIGH'), dest='value_range', help=values)
    parser.add_argument('--bands', type=int, nargs='+', metavar='N', help='bands to take, from 1, red first')
    parser.add_argument('--skip-small', action='store_true', help='leave out images that are smaller than a patch')
    add_run_options(parser)
    return parser.parse_args(arguments)


@report_input_errors
def main(arguments: list[str] | None = None) -> None:
    options = vars(parse_arguments(arguments))

    from projects.false.converters.options import print_outcome
    from projects.false.converters.rasters import convert_rasters

    conversion = convert_rasters(**options)
    description = conversion.description
    for stem, source in description['sources'].items():
        print(f'{stem}: {source["patches"]} patches of {source["height"]} x {source["width"]} pixels')
    if description['ranges']:
        parts = zip(description['bands']['names'], description['ranges'], strict=True)
        print('scaled to 8 bit: ' + ', '.join(f'{name} {low:g} to {high:g}' for name, (low, high) in parts))
    if description.get('transparency'):
        print(
            f'the last band of {len(description["transparency"])} images is taken as transparency, as it is labelled; '
            'near infrared needs --bands with all numbers'
        )
    if description['dropped_windows']:
        limit = description['arguments']['max_nodata']
        print(f'dropped {description["dropped_windows"]} windows with more nodata than {limit:g}')
    if description['skipped_small']:
        print(f'left out {len(description["skipped_small"])} images that are smaller than a patch')
    print_outcome(conversion, options['out'])


if __name__ == '__main__':
    sys.exit(main())
