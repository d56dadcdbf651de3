"""From made scenes to mIoU and a report: python tools/quickstart.py [--seed K] [--work-dir DIR]."""

import argparse
import sys
from dataclasses import fields
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # this clone, from any folder, installed or not

from projects.false.common.command_line import report_input_errors
from projects.false.experiments.quickstart import Settings, quickstart


@report_input_errors
def main() -> None:
    """Run it, or what is left of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument('--work-dir', type=Path, default=Path('work_dirs/quickstart'), help='where everything goes')
    for field in fields(Settings):
        parser.add_argument(f'--{field.name.replace("_", "-")}', type=type(field.default), default=field.default)
    arguments = vars(parser.parse_args())
    folder = arguments.pop('work_dir')
    found = quickstart(folder, Settings(**arguments))
    print('mIoU on the test scenes: ' + ', '.join(f'{name} {value:.2f}' for name, value in found.items()))
    print(f'report: {folder.resolve() / "report.html"}')


if __name__ == '__main__':
    sys.exit(main())
