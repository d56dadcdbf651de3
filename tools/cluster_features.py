"""Cluster the features of a frozen network without labels, and write a map of the clusters for every patch.

ViewMaps reads the maps in training, and determination `evidence` uses them to find views that show the same. Run this
again with --overwrite to replace the maps by those of later weights.

Example:
    python tools/cluster_features.py configs/simclr_r18_mbrsc.py data/mbrsc \\
        --weights work_dirs/simclr_r18_mbrsc/backbone.pth --out work_dirs/maps
    python tools/train.py configs/false_simclr_r18_mbrsc.py --cfg-options \\
        train_dataloader.dataset.evidence.type=ViewMaps train_dataloader.dataset.evidence.folder=work_dirs/maps
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # this clone, from any folder, installed or not

from projects.false.common.command_line import ConfigOptions, check_config, check_data_root, report_input_errors
from projects.false.common.errors import InputError, check_count


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', help='any config with model.backbone, such as a pretraining recipe')
    parser.add_argument('data', metavar='DATA', help='folder as a converter leaves it, or any folder of images')
    parser.add_argument('--out', required=True, help='folder for the maps')
    parser.add_argument('--weights', help="weights of the backbone (those of the config's init_cfg)")
    parser.add_argument('--images', default='images', help="folder of images in DATA, '' for DATA itself (images)")
    parser.add_argument('--list', help='list of the patches to map (all)')
    parser.add_argument('--clusters', type=int, default=12, metavar='K', help='number of clusters (12)')
    parser.add_argument('--stage', type=int, default=-1, help="which of the backbone's outputs, from 0 (-1, the last)")
    parser.add_argument('--patches', type=int, default=300, help='patches to fit the clusters to (300)')
    parser.add_argument('--batch-size', type=int, default=16, help='patches per call of the network (16)')
    parser.add_argument('--seed', type=int, default=0, help='of the draws and of k-means (0)')
    parser.add_argument('--overwrite', action='store_true', help='replace maps that were written before')
    parser.add_argument('--cfg-options', nargs='+', action=ConfigOptions, help='override config values, KEY=VALUE')
    options = parser.parse_args(arguments)
    try:
        for name in ('clusters', 'patches', 'batch_size'):
            check_count(f'--{name.replace("_", "-")}', getattr(options, name))
    except InputError as error:
        parser.error(str(error))
    if not -1 <= options.stage <= 3:
        parser.error(f'--stage is {options.stage}; give 0 to 3, or -1 for the last')
    return options


@report_input_errors
def main(arguments: list[str] | None = None) -> None:
    """Fit, write and count."""
    options = parse_arguments(arguments)
    check_config(options.config)
    check_data_root(options.data)

    from rich.console import Console
    from rich.progress import Progress

    import projects.false.engine  # noqa: F401  (registers)
    from projects.false.engine.config import load_config
    from projects.false.evaluation.feature_clusters import FrozenNetwork, write_cluster_maps
    from projects.false.patch_folder.pixels import PatchReader

    config = load_config(options.config, options.cfg_options, needs=('model',))
    network = FrozenNetwork(config, options.weights, options.stage)
    console = Console()
    patches = PatchReader(
        options.data, options.images, options.list, lambda line: console.print(line, markup=False, soft_wrap=True)
    )
    with Progress(console=console, transient=True) as progress:
        bar = progress.add_task('', total=None)
        out = write_cluster_maps(
            network,
            patches,
            options.out,
            clusters=options.clusters,
            sample=options.patches,
            batch_size=options.batch_size,
            seed=options.seed,
            overwrite=options.overwrite,
            facts={'config': options.config, 'weights': options.weights, 'stage': options.stage},
            progress=lambda step, done, total: progress.update(bar, description=step, completed=done, total=total),
        )
    console.print(f'wrote {len(patches)} maps of {options.clusters} clusters to {out}', soft_wrap=True, markup=False)


if __name__ == '__main__':
    sys.exit(main())
