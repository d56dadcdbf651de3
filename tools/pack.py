"""Pack the patches of a data set into one memory-mapped array: one file to copy, nothing to list or decode in training.

Example:
    python tools/pack.py data/potsdam
    python tools/train.py configs/false_mocov2_r50_potsdam.py --cfg-options train_dataloader.dataset.packed=True
"""

import argparse
import sys
import warnings
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # this clone, from any folder, installed or not


from projects.false.common.command_line import report_input_errors


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('data', metavar='DATA', help='folder of the data set; DATA/packed is made')
    parser.add_argument('--images', default='images', help="its folder of images, '' for DATA itself (default: images)")
    parser.add_argument('--masks', default='masks', help='its folder of index masks, which may be missing, or be empty')
    parser.add_argument('--bands', type=int, help='bands of every image (default: as dataset.json says, else 3)')
    parser.add_argument('--workers', type=int, help='patches read at the same time (default: CPU cores, at most 8)')
    return parser.parse_args(arguments)


@report_input_errors
def main(arguments: list[str] | None = None) -> None:
    """Pack, or print that the pack is up to date."""
    options = parse_arguments(arguments)

    from rasterio.errors import NotGeoreferencedWarning
    from rich.console import Console

    from projects.false.patch_folder.packing import pack

    warnings.simplefilter('ignore', NotGeoreferencedWarning)  # only the pixels are used
    packed, made = pack(options.data, options.images, options.masks, options.bands, options.workers, print)
    height, width, bands = packed.description['shape']
    size = sum(packed.description['files'].values())
    masks = 'no masks' if packed.labelled is None else f'{int(packed.labelled.sum())} masks'
    Console().print(
        f'{"wrote" if made else "up to date:"} {packed.folder}: {len(packed)} patches of {height} x {width} pixels, '
        f'{bands} bands, {masks}, {size / 1e6:.1f} MB',
        soft_wrap=True,
        markup=False,
    )


if __name__ == '__main__':
    sys.exit(main())
