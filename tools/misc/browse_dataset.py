"""Draw samples from a recipe's data pipeline as pictures.

Pretraining: each patch and its views. Segmentation: the image, its label in class colours, and both overlaid.

Example:
    python tools/misc/browse_dataset.py configs/false_simclr_r18_synthetic.py --number 12
    python tools/misc/browse_dataset.py configs/upernet_r18_synthetic.py --split val --output-dir pictures
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # this clone, from any folder, installed or not


from projects.false.common.command_line import ConfigOptions, check_config, report_input_errors
from projects.false.common.errors import InputError
from projects.false.common.files import writable


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', help='config file, for example configs/false_simclr_r50_potsdam.py')
    parser.add_argument(
        '--output-dir', type=Path, default=Path('work_dirs/browse'), help='folder for the pictures (work_dirs/browse)'
    )
    parser.add_argument('--number', type=int, default=12, help='samples, spread over the data set (12)')
    parser.add_argument(
        '--split', choices=['train', 'val', 'test'], default='train', help='data loader to show (train)'
    )
    parser.add_argument('--seed', type=int, default=0, help='seed of the augmentation (0)')
    parser.add_argument('--cfg-options', nargs='+', action=ConfigOptions, help='override config values, KEY=VALUE')
    return parser.parse_args(arguments)


@report_input_errors
def main(arguments: list[str] | None = None) -> None:
    """Write the sheets."""
    options = parse_arguments(arguments)
    check_config(options.config)
    if options.seed < 0:
        raise InputError(f'--seed is {options.seed}; give 0 or more')

    import cv2

    from projects.false.engine.config import build_dataset, load_config
    from projects.false.reports.samples import sample_sheets

    config = load_config(options.config, options.cfg_options)
    name = f'{Path(options.config).stem}_{options.split}'
    dataset = build_dataset(config, options.split)
    for page, sheet in enumerate(sample_sheets(dataset, options.number, name, options.seed), start=1):
        path = options.output_dir / f'{name}_{page}.png'
        with writable(path, 'choose another --output-dir'):
            options.output_dir.mkdir(parents=True, exist_ok=True)
            path.write_bytes(cv2.imencode('.png', sheet)[1].tobytes())
        print(f'wrote {path}')


if __name__ == '__main__':
    sys.exit(main())
