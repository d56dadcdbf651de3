"""Fit the temperature that calibrates a model's confidence: python tools/calibrate.py CONFIG CHECKPOINT.

The temperature is fitted on the validation patches. Maps made with it have the same classes, and their confidence is
about the share of pixels that are right. A reliability diagram is written beside the JSON file.

Example:
    python tools/calibrate.py configs/upernet_r18_mbrsc.py work_dirs/upernet_r18_mbrsc/iter_200.pth
    python tools/infer.py configs/upernet_r18_mbrsc.py work_dirs/upernet_r18_mbrsc/iter_200.pth scene.tif --out maps \\
        --confidence --temperature work_dirs/upernet_r18_mbrsc/temperature.json
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # this clone, from any folder, installed or not

from projects.false.common.command_line import ConfigOptions, check_checkpoint, check_config, report_input_errors
from projects.false.common.errors import check_count, check_seed


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', help='config that the model was fine-tuned with')
    parser.add_argument('checkpoint', help='what tools/train.py wrote')
    parser.add_argument('--out', type=Path, metavar='FILE', help='file to write (temperature.json beside CHECKPOINT)')
    parser.add_argument(
        '--list', default='splits/val.txt', help="list of patches in the config's data (splits/val.txt)"
    )
    parser.add_argument('--pixels', type=int, default=1_000_000, help='labelled pixels to use at most (1000000)')
    parser.add_argument('--seed', type=int, default=0, help='seed of their choice (0)')
    parser.add_argument('--device', help='cpu, cuda, cuda:1 (default: a GPU if there is one)')
    parser.add_argument('--cfg-options', nargs='+', action=ConfigOptions, help='override config values, KEY=VALUE')
    return parser.parse_args(arguments)


@report_input_errors
def main(arguments: list[str] | None = None) -> None:
    """Fit the temperature, write it, and print what it does."""
    options = parse_arguments(arguments)
    check_config(options.config)
    check_checkpoint(options.checkpoint)
    check_count('--pixels', options.pixels)
    check_seed(options.seed)

    from projects.false.assessment.calibration import calibrate, diagram_beside, labelled_logits, write_calibration
    from projects.false.mapping.load_segmenter import load_segmenter

    out = options.out or Path(options.checkpoint).expanduser().with_name('temperature.json')
    diagram_beside(out)
    segmenter = load_segmenter(options.config, options.checkpoint, options.cfg_options, options.device, 'float32')
    chosen = options.cfg_options, options.pixels, options.seed
    found = calibrate(*labelled_logits(segmenter, options.config, options.list, *chosen))
    picture = write_calibration(out, found, segmenter.identity.rpartition(' ')[0], options.list)
    held_out = f'{100 * found.held_out:.2f} % on patches it was not fitted to'
    if found.patches == 1:
        held_out = 'and no other patch to judge it by: give a list of more'
    print(
        f'temperature {found.temperature:.3f} of {found.pixels:,} pixels in {found.patches} patches: calibration error '
        f'{100 * found.before.ece:.2f} % before, {100 * found.after.ece:.2f} % after, {held_out}'
    )
    print(f'wrote {out} and {picture}')


if __name__ == '__main__':
    sys.exit(main())
