"""Draw synthetic aerial imagery with exact labels: GeoTIFF tiles for tests, demonstrations and the quickstart.

Example:
    python tools/dataset_converters/synthetic.py OUT --tiles 12 --size 512 --seed 0 --val-tiles 2 --test-tiles 2
    python tools/dataset_converters/color_masks.py OUT/images OUT/masks PATCHES --palette synthetic --patch-size 128 \
        --val-list OUT/val.txt --test-list OUT/test.txt
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # this clone, from any folder, installed or not

from projects.false.common.command_line import report_input_errors


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('out', metavar='OUT', help='folder to make')
    parser.add_argument('--tiles', type=int, default=12, help='number of tiles (default: 12)')
    parser.add_argument('--size', type=int, default=512, help='side of a tile in pixels (default: 512)')
    parser.add_argument('--seed', type=int, default=0, help='seed of the scenes (default: 0)')
    parser.add_argument('--val-tiles', type=int, default=0, help='tiles listed in OUT/val.txt (default: 0)')
    parser.add_argument('--test-tiles', type=int, default=0, help='tiles listed in OUT/test.txt (default: 0)')
    parser.add_argument('--overwrite', action='store_true', help='replace an earlier output')
    return parser.parse_args(arguments)


@report_input_errors
def main(arguments: list[str] | None = None) -> None:
    options = vars(parse_arguments(arguments))

    from projects.false.converters.synthetic import write_synthetic_tiles

    stems = write_synthetic_tiles(**options)
    print(f'wrote {len(stems)} tiles to {options["out"]}')


if __name__ == '__main__':
    sys.exit(main())
