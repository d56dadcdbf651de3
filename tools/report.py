"""Show on one page what a work folder holds: training curves, scores, maps, audits of labels, and the pages in it.

Example:
    python tools/report.py work_dirs/mine
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # this clone, from any folder, installed or not

from projects.false.common.command_line import report_input_errors


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('work_dir', metavar='WORK_DIR', type=Path, help='folder that commands wrote to, and below it')
    parser.add_argument('--out', type=Path, metavar='FILE', help='page to write (WORK_DIR/workspace.html)')
    return parser.parse_args(arguments)


@report_input_errors
def main(arguments: list[str] | None = None) -> None:
    """Write the page; name what could not be read."""
    options = parse_arguments(arguments)

    from projects.false.experiments.workspace import write_workspace_page

    path, problems = write_workspace_page(options.work_dir, options.out)
    for problem in problems:
        print(f'note: {problem}', file=sys.stderr)
    print(f'report: {path.resolve()}')


if __name__ == '__main__':
    sys.exit(main())
