"""Fit the clusters and quantiles of colour and texture by which determination `evidence` finds views that look alike.

No labels are read.

Example:
    python tools/fit_appearance.py data/mbrsc
    python tools/train.py configs/false_simclr_r18_mbrsc.py

Writes DATA/appearance.json. Training does the same, with these defaults, if the file is missing.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # this clone, from any folder, installed or not


from projects.false.common.command_line import report_input_errors
from projects.false.common.errors import InputError, check_count


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('data', metavar='DATA', help='folder as a converter leaves it, or any folder of images')
    parser.add_argument('--images', default='images', help="its folder of images, '' for DATA itself (images)")
    parser.add_argument('--list', help='list of patches to draw from (splits/pretrain.txt if it exists, else all)')
    parser.add_argument('--clusters', type=int, default=6, metavar='K', help='number of clusters (6)')
    parser.add_argument(
        '--quantiles', type=int, default=7, metavar='Q', help="of every feature, for code='quantiles' (7)"
    )
    parser.add_argument('--patches', type=int, default=300, help='patches to read (300)')
    parser.add_argument(
        '--pixels', type=int, default=200, help='points to describe in each patch at most, on a square grid (200)'
    )
    parser.add_argument('--seed', type=int, default=0, help='of the draws and of k-means (0)')
    parser.add_argument('--out', help='file to write (DATA/appearance.json)')
    parser.add_argument('--overwrite', action='store_true', help='replace the file')
    options = parser.parse_args(arguments)
    for name in ('clusters', 'quantiles', 'patches', 'pixels'):
        try:
            check_count(f'--{name}', getattr(options, name))
        except InputError as error:
            parser.error(str(error))
    if not Path(options.data).is_dir():
        parser.error(f'{options.data}: no such folder; give the folder of a data set')
    return options


@report_input_errors
def main(arguments: list[str] | None = None) -> None:
    """Fit, write and show the clusters."""
    options = parse_arguments(arguments)

    from rich.console import Console
    from rich.progress import Progress

    from projects.false.patch_folder.appearance import FILE, fit_folder

    out = Path(options.out) if options.out else Path(options.data) / FILE
    if out.exists() and not options.overwrite:
        raise InputError(f'{out}: exists; give --overwrite to replace it, which changes what further training sees')
    console = Console()
    with Progress(console=console, transient=True) as progress:
        bar = progress.add_task('reading patches', total=None)
        appearance = fit_folder(
            options.data,
            options.images,
            options.list,
            lambda line: console.print(line, markup=False, soft_wrap=True),
            clusters=options.clusters,
            quantiles=options.quantiles,
            patches=options.patches,
            pixels=options.pixels,
            seed=options.seed,
            progress=lambda done, total: progress.update(bar, completed=done, total=total),
        )
    appearance.write(out)
    fitted = appearance.fitted
    console.print(
        f'wrote {out}: {len(appearance)} clusters of {fitted["patches"]} of {fitted["of"]} patches, '
        f'{fitted["pixels"]} points each',
        soft_wrap=True,
        markup=False,
    )


if __name__ == '__main__':
    sys.exit(main())
