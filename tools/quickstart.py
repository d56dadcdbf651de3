"""Go all the way from synthetic scenes to a report: python tools/quickstart.py [--seed K] [--work-dir DIR]."""

import argparse
import sys
from dataclasses import fields
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # this clone, from any folder, installed or not

from projects.false.common.command_line import report_input_errors
from projects.false.experiments.quickstart_settings import Settings

HELP = {
    'seed': 'seed of scenes, label draw, pretraining and fine-tuning',
    'tiles': 'number of 512 x 512 scenes, those for validation and test included',
    'val_tiles': 'scenes to validate on',
    'test_tiles': 'scenes to test on',
    'epochs': 'epochs of pretraining',
    'iterations': 'iterations of fine-tuning',
    'label_fraction': 'share of the training patches whose labels are used',
}


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument('--work-dir', type=Path, default=Path('work_dirs/quickstart'), help='where everything goes')
    for field in fields(Settings):
        option, kind = f'--{field.name.replace("_", "-")}', type(field.default)
        parser.add_argument(option, type=kind, default=field.default, help=HELP[field.name])
    return parser.parse_args(arguments)


@report_input_errors
def main(arguments: list[str] | None = None) -> None:
    """Run the quickstart, or resume an interrupted one."""
    options = vars(parse_arguments(arguments))
    folder, settings = options.pop('work_dir'), Settings(**options)

    from projects.false.experiments.quickstart import quickstart

    found = quickstart(folder, settings)
    print('mIoU on the test scenes: ' + ', '.join(f'{name} {value:.2f}' for name, value in found.items()))
    print(f'report: {folder.resolve() / "report.html"}')


if __name__ == '__main__':
    sys.exit(main())
