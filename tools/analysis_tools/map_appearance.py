"""Map the clusters of appearance in every patch: what determination `evidence` sees in it.

Look at the maps, or train with them through ViewMaps. With --shuffled, every map gets the name of another patch.
This is a control: such evidence determines about as many pairs but tells nothing, so a gain would not come from what
the views show.

Example:
    python tools/analysis_tools/map_appearance.py data/mbrsc --out work_dirs/appearance
    python tools/analysis_tools/map_appearance.py data/mbrsc --out work_dirs/shuffled --shuffled 0
    python tools/train.py configs/false_simclr_r18_mbrsc.py --cfg-options \\
        train_dataloader.dataset.evidence.type=ViewMaps train_dataloader.dataset.evidence.folder=work_dirs/shuffled
"""

import argparse
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # this clone, from any folder, installed or not

from projects.false.common.command_line import check_data_root, report_input_errors
from projects.false.common.errors import InputError


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('data', metavar='DATA', help='folder as a converter leaves it, or any folder of images')
    parser.add_argument('--out', required=True, help='folder for the maps')
    parser.add_argument('--appearance', help='file of clusters (appearance.json in DATA or above)')
    parser.add_argument('--images', default='images', help="folder of images in DATA, '' for DATA itself (images)")
    parser.add_argument('--list', help='list of the patches to map (all)')
    parser.add_argument('--shuffled', type=int, metavar='SEED', help='give every patch the map of another one')
    parser.add_argument('--overwrite', action='store_true', help='replace maps that were written before')
    options = parser.parse_args(arguments)
    if options.shuffled is not None and options.shuffled < 0:
        parser.error(f'--shuffled is {options.shuffled}; give a seed of at least 0')
    return options


@report_input_errors
def main(arguments: list[str] | None = None) -> None:
    """Map and write, all patches or none."""
    options = parse_arguments(arguments)
    check_data_root(options.data)

    from rich.console import Console
    from rich.progress import Progress

    from projects.false.common.files import staged_folder, writable, write_text
    from projects.false.datasets.view_evidence import MAPS_FILE, appearance_file
    from projects.false.imagery.images import write_patch
    from projects.false.patch_folder.appearance import Appearance
    from projects.false.patch_folder.pixels import PatchReader

    path = Path(options.appearance) if options.appearance else appearance_file(Path(options.data).absolute())
    appearance = Appearance.read(path)
    console = Console()
    patches = PatchReader(
        options.data, options.images, options.list, lambda line: console.print(line, markup=False, soft_wrap=True)
    )
    names = owners(len(patches), options.shuffled)
    with (
        staged_folder(options.out, options.overwrite, MAPS_FILE) as folder,
        Progress(console=console, transient=True) as progress,
    ):
        for number in progress.track(range(len(patches)), description='writing maps'):
            image, out = patches.image(number), folder / patches.name(names[number])
            if names[number] != number and patches.image(names[number]).shape != image.shape:
                raise InputError(
                    f'{patches.name(names[number])} and {patches.name(number)} differ in size; '
                    '--shuffled needs patches of one size: name them with --list'
                )
            with writable(options.out, 'give another output folder'):
                out.parent.mkdir(parents=True, exist_ok=True)
            write_patch(out, appearance.map(image))
        facts = {'kinds': len(appearance), 'patches': len(patches), 'clusters': str(path), 'shuffled': options.shuffled}
        write_text(folder / MAPS_FILE, json.dumps(facts, indent=1) + '\n')
    console.print(
        f'wrote {len(patches)} maps of {len(appearance)} clusters to {options.out}'
        + (', each under the name of another patch' if options.shuffled is not None else ''),
        soft_wrap=True,
        markup=False,
    )


def owners(count: int, seed: int | None) -> list[int]:
    """Return the number of the patch that gets the map of each: its own, or with a seed never its own.

    Raises:
        InputError: There is one patch only, and nothing to exchange.
    """
    if seed is None:
        return list(range(count))
    if count < 2:
        raise InputError('--shuffled needs at least two patches')
    import numpy as np

    ring = np.random.default_rng(seed).permutation(count)  # each patch gives its map to the next one of the ring
    return np.roll(ring, -1)[np.argsort(ring)].tolist()


if __name__ == '__main__':
    sys.exit(main())
