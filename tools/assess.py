"""Say how good a map is and how large its classes really are: draw places to check, then assess the map by them.

First draw places and write the true class of each into the column `reference` of DIR/places.gpkg, in QGIS for example.
Then give the filled-in file. A raster with the numbers of the true classes works as well: as a whole, or with --sample
at random places. Estimates and intervals follow Olofsson et al. (2014) and correct for the errors of the map.

Example:
    python tools/assess.py maps/scene_classes.tif --sample 300 --image scene.tif --out check
    python tools/assess.py maps/scene_classes.tif check/places.gpkg --out check
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # this clone, from any folder, installed or not

from projects.false.common.command_line import check_source, report_input_errors
from projects.false.common.errors import InputError, check_count

ALLOCATIONS = ('olofsson', 'proportional', 'equal')


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    usage = '%(prog)s MAP --sample N --out DIR [options]\n       %(prog)s MAP REFERENCE [--out DIR] [options]'
    style = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(usage=usage, description=__doc__, formatter_class=style)
    add = parser.add_argument
    add('map', metavar='MAP', help='NAME_classes.tif of tools/infer.py')
    add('reference', metavar='REFERENCE', nargs='?', help='places.gpkg filled in, or a raster of true classes')
    add('--out', metavar='DIR', help='folder for places.gpkg and places.html, or assessment.json and assessment.png')
    add('--sample', type=int, metavar='N', help='draw N places; with a raster as REFERENCE use only these of it')
    add('--image', metavar='FILE', help='the image that was mapped, for the pictures in places.html')
    add('--allocation', choices=ALLOCATIONS, default='olofsson', help='how places go to classes (olofsson)')
    add('--least', type=int, default=50, help='places in a rare class, for --allocation olofsson (50)')
    add('--seed', type=int, default=0, help='seed of the draw (0)')
    add('--field', default='reference', help='column of REFERENCE with the true class (reference)')
    add('--level', type=float, default=0.95, help='confidence level of the intervals (0.95)')
    add('--overwrite', action='store_true', help='replace a places.gpkg that is there')
    return parser.parse_args(arguments)


def check_arguments(options: argparse.Namespace) -> None:
    """Check what can be checked before anything heavy is imported.

    Raises:
        InputError: A file does not exist, or options do not go together.
    """
    for path in filter(None, (options.map, options.reference, options.image)):
        check_source(path)
    if options.sample is not None:
        check_count('--sample', options.sample)
    check_count('--least', options.least)
    if options.seed < 0:
        raise InputError(f'--seed {options.seed}: give 0 or more')
    if options.reference is None and options.sample is None:
        raise InputError('give --sample N to draw places to check, or REFERENCE to assess the map')
    if options.reference is None and options.out is None:
        raise InputError('--sample writes places.gpkg; give a folder for it with --out')
    if options.reference is not None and options.image is not None:
        raise InputError('--image is for the pictures of new places; leave it out with REFERENCE')
    if not 0.5 <= options.level <= 0.9999:
        raise InputError(f'--level {options.level}: give a confidence level from 0.5 to 0.9999')


@report_input_errors
def main(arguments: list[str] | None = None) -> None:
    """Draw places, or print and write the assessment."""
    options = parse_arguments(arguments)
    check_arguments(options)

    from rich.console import Console

    from projects.false.assessment.report import assess_map, remarks, sample_places, table_of, write_assessment

    drawn = options.sample, options.allocation, options.least, options.seed
    console = Console(width=None if sys.stdout.isatty() else 160)
    if options.reference is None:
        sizes = sample_places(options.map, options.out, *drawn, options.image, options.overwrite)
        counted = ', '.join(f'{name} {count}' for name, count in sizes.items())
        sheet = ' and places.html' if options.image else '; --image adds pictures of the places'
        lines = [f'{options.sample} places: {counted}', f'places.gpkg is in {options.out}{sheet}']
    else:
        found = assess_map(options.map, options.reference, *drawn, options.field)
        if options.out:
            write_assessment(options.out, found, options.level, Path(options.map).name)
        console.print(table_of(found, options.level))
        lines = remarks(found, options.level)
        if options.out:
            lines.append(f'assessment.json and assessment.png are in {options.out}')
    for line in lines:
        console.print(line, highlight=False, markup=False, soft_wrap=True)


if __name__ == '__main__':
    sys.exit(main())
