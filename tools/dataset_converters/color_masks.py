"""Cut images with colour masks into patches for pretraining and segmentation.

Example:
    python tools/dataset_converters/color_masks.py IMAGES MASKS OUT --palette mbrsc --patch-size 128
"""

import argparse
import sys
import warnings
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # this clone, from any folder, installed or not

from rasterio.errors import NotGeoreferencedWarning
from rich.console import Console

from projects.false.command_line import report_input_errors
from projects.false.datasets.color_masks import convert_color_masks
from projects.false.datasets.description import summary_table
from projects.false.datasets.palettes import PALETTES, load_palette


@report_input_errors
def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('images', metavar='IMAGES', help='folder of 8-bit RGB images (PNG, JPEG, TIFF)')
    parser.add_argument('masks', metavar='MASKS', help='folder of masks with the same file stems (PNG, TIFF)')
    parser.add_argument('out', metavar='OUT', help='folder to make')
    parser.add_argument('--palette', required=True, help=f'{", ".join(PALETTES)}, or a JSON file')
    parser.add_argument('--classes', nargs='+', metavar='NAME', help="class names in place of the palette's")
    parser.add_argument('--patch-size', type=int, required=True, help='side of the patches in pixels')
    parser.add_argument('--stride', type=int, help='distance of neighbouring patches in pixels (default: patch size)')
    parser.add_argument('--val-list', help='text file with image stems or patterns for validation, one a line')
    parser.add_argument('--test-list', help='text file with image stems or patterns for testing, one a line')
    parser.add_argument('--label-fractions', type=float, nargs='+', default=[0.01], metavar='F', help='default: 0.01')
    parser.add_argument('--seed', type=int, default=0, help='seed of the draw of labelled patches (default: 0)')
    parser.add_argument('--workers', type=int, help='images cut at the same time (default: CPU cores, at most 8)')
    parser.add_argument('--overwrite', action='store_true', help='replace an earlier output')
    options = vars(parser.parse_args(arguments))
    warnings.simplefilter('ignore', NotGeoreferencedWarning)  # only the pixels are used
    palette = load_palette(options.pop('palette'))
    classes = options.pop('classes')
    if classes:
        palette = palette.with_classes(classes)
    description = convert_color_masks(palette=palette, **options)
    console = Console()
    console.print(summary_table(description))
    for name, split in description['splits'].items():
        if split.get('missing_classes'):
            console.print(f'note: {name} has no pixel of: {", ".join(split["missing_classes"])}')
    if not options['test_list']:
        held = 'holds the val patches' if options['val_list'] else 'is absent: give --val-list or --test-list'
        console.print(f'note: no --test-list; splits/test.txt, which the upernet recipes evaluate on, {held}')
    console.print(f'wrote {len(description["patches"])} patches to {options["out"]}')


if __name__ == '__main__':
    sys.exit(main())
