"""Plot training curves, or print times, from the logs of runs.

Name a run by its work folder, resumed or not, or by one scalars.json in it.

Example:
    python tools/analysis_tools/analyze_logs.py plot_curve work_dirs/a work_dirs/b --keys loss --out loss.png
    python tools/analysis_tools/analyze_logs.py cal_train_time work_dirs/a
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # this clone, from any folder, installed or not

from projects.false.common.command_line import report_input_errors
from projects.false.common.errors import InputError


def plot_curve(options: argparse.Namespace) -> None:
    """Draw logged values over the iterations."""
    names = options.legend or [str(run) for run in options.runs]
    if len(names) != len(options.runs):
        raise InputError(f'--legend has {len(names)} names for {len(options.runs)} runs; give one per run')

    from projects.false.reports.curves import plot_curves
    from projects.false.reports.training_logs import logged_curve, read_training_log

    logs = [read_training_log(run) for run in options.runs]
    curves = [
        [logged_curve(log, key, str(run)) for key in options.keys] for run, log in zip(options.runs, logs, strict=True)
    ]
    plot_curves(curves, names, options.keys, options.out)
    print(f'wrote {options.out}')


def cal_train_time(options: argparse.Namespace) -> None:
    """Print seconds per iteration."""
    from projects.false.reports.training_logs import read_training_log, training_time

    for run in options.runs:
        found = training_time(read_training_log(run), str(run), options.include_outliers)
        print(f'{run}: {found.mean:.4f} s/iter, {found.waiting:.4f} of it waiting for data')
        print(f'  standard deviation {found.spread:.4f} over {found.entries} log entries')
        if len(found.epochs) > 1:
            slow, fast = max(found.epochs, key=found.epochs.get), min(found.epochs, key=found.epochs.get)
            print(f'  slowest epoch {slow}, {found.epochs[slow]:.4f}; fastest epoch {fast}, {found.epochs[fast]:.4f}')


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line; the options are OpenMMLab's."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    tasks = parser.add_subparsers(required=True, metavar='plot_curve | cal_train_time')
    plot = tasks.add_parser('plot_curve', help='draw logged values')
    plot.add_argument('--keys', nargs='+', default=['loss'], help='logged values, such as loss lr mIoU (loss)')
    plot.add_argument('--legend', nargs='+', metavar='NAME', help='names of the runs (their paths)')
    plot.add_argument('--out', type=Path, default=Path('work_dirs/curves.png'), help='picture to write')
    plot.set_defaults(task=plot_curve)
    time = tasks.add_parser('cal_train_time', help='print seconds per iteration')
    time.add_argument('--include-outliers', action='store_true', help='also count the first log entry of a start')
    time.set_defaults(task=cal_train_time)
    for task in (plot, time):
        task.add_argument('runs', nargs='+', type=Path, metavar='LOG_OR_WORKDIR', help='work folder or scalars.json')
    return parser.parse_args(arguments)


@report_input_errors
def main(arguments: list[str] | None = None) -> None:
    """Draw curves, or print times."""
    options = parse_arguments(arguments)
    options.task(options)


if __name__ == '__main__':
    sys.exit(main())
