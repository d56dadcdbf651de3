"""Choose the patches that are worth labelling, and write them as a list that recipes read.

Method random draws patches; typical takes the patch in the densest place of each cluster of features; coverage takes
patches whose neighbourhoods cover the others; uncertain takes those that a fine-tuned model is in doubt about, one per
cluster.

DATA/splits/NAME.txt gets the kept and the chosen patches. OUT gets a contact sheet, a record, the features for the next
call, and for georeferenced images a GeoPackage of the windows to annotate.

Example:
    python tools/select_patches.py data/scenes imagenet --count 30
    python tools/select_patches.py data/scenes work_dirs/my_backbone/backbone.pth --count 100 --method typical
    python tools/select_patches.py data/scenes work_dirs/my_backbone/backbone.pth --count 100 --method uncertain \\
        --keep train_typical100_seed0 --model mine.py work_dirs/mine/iter_200.pth
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # this clone, from any folder, installed or not

from projects.false.common.command_line import check_checkpoint, check_config, check_data_root, report_input_errors

METHODS = ('random', 'typical', 'coverage', 'uncertain')


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('data_root', metavar='DATA', help='folder as a converter leaves it, with or without labels')
    parser.add_argument(
        'backbone',
        nargs='?',
        metavar='BACKBONE',
        help="backbone.pth, 'imagenet' for EfficientNet-Lite0 with ImageNet weights, or 'random'; the method random "
        'needs none',
    )
    parser.add_argument('--count', type=int, required=True, metavar='N', help='number of patches to choose')
    parser.add_argument('--method', choices=METHODS, default='typical', help='how to choose (typical)')
    parser.add_argument('--seed', type=int, default=0, help='seed (0)')
    parser.add_argument(
        '--from', dest='candidates', metavar='LIST', help='choose from these patches (train or pretrain)'
    )
    parser.add_argument('--keep', metavar='LIST', help='patches that are labelled already; they stay in the list')
    parser.add_argument(
        '--model', nargs=2, metavar=('CONFIG', 'CHECKPOINT'), help='fine-tuned model of --method uncertain'
    )
    parser.add_argument(
        '--config', metavar='RECIPE', help='recipe of the backbone, if it is no ResNet of standard form'
    )
    parser.add_argument('--list', dest='name', metavar='NAME', help='name of the list (train_METHODN_seedSEED)')
    parser.add_argument('--out', metavar='DIR', help='folder for the rest (work_dirs/selection_DATA)')
    parser.add_argument('--overwrite', action='store_true', help='replace an earlier list')
    parser.add_argument('--workers', type=int, help='images read at the same time (default: CPU cores, at most 8)')
    parser.add_argument('--device', help='cpu, cuda, cuda:1 (default: a GPU if there is one)')
    return parser.parse_args(arguments)


@report_input_errors
def main(arguments: list[str] | None = None) -> None:
    """Choose the patches and say where they are."""
    options = parse_arguments(arguments)
    check_data_root(options.data_root)
    if options.backbone not in (None, 'imagenet', 'random') and '://' not in options.backbone:
        check_checkpoint(options.backbone)
    if options.config:
        check_config(options.config)
    if options.model:
        check_config(options.model[0])
        check_checkpoint(options.model[1])
    options.out = options.out or str(Path('work_dirs', f'selection_{Path(options.data_root).resolve().name}'))

    from projects.false.selection.selection import select_patches

    found = select_patches(**{**vars(options), 'model': tuple(options.model) if options.model else None})
    kept = f' beside {len(found.kept):,} kept ones' if found.kept else ''
    print(f'chose {len(found.chosen):,} of {found.candidates:,} patches{kept}: {options.method}, seed {options.seed}')
    if 'radius' in found.facts:
        print(f'radius {found.facts["radius"]:.4f}: {found.facts["covered"]:.1%} of the patches are covered')
    print(f'list: {Path(options.data_root, "splits", found.name)}.txt')
    sheet = Path(options.out, found.name)
    print(f'contact sheet of {found.shown:,}: {sheet}.png; record: {sheet}.json')
    if found.windows:
        print(f'windows to annotate: {sheet}.gpkg ({found.windows:,})')
    else:
        print('no windows to annotate: the images are not georeferenced')


if __name__ == '__main__':
    sys.exit(main())
