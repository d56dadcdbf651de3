"""Compare methods over seeds, label draws, fractions and protocols: python tools/run_benchmark.py SPEC.

Every finished run is a line of WORK_DIR/results.jsonl; the same command resumes where it was interrupted. At the end of
every call, WORK_DIR/PART has table.md, table.csv, table.json and report.html. See docs/experiments.md for more.

Example:
    python tools/run_benchmark.py configs/benchmarks/quickstart.py
    python tools/run_benchmark.py configs/benchmarks/mbrsc.py --part val --methods A --jobs 2
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # this clone, from any folder, installed or not

from projects.false.common.command_line import ConfigOptions, check_config, report_input_errors
from projects.false.common.errors import InputError


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('spec', help='config of the benchmark, such as configs/benchmarks/quickstart.py')
    parser.add_argument('--work-dir', type=Path, help='where everything goes (work_dirs/benchmarks/NAME)')
    parser.add_argument('--part', choices=['val', 'test'], help='test on this part of the data (that of the spec)')
    parser.add_argument('--methods', nargs='+', default=[], metavar='NAME', help='methods or tiers of the spec (all)')
    parser.add_argument('--protocols', nargs='+', default=[], metavar='NAME', help='protocols of the spec (all)')
    parser.add_argument('--jobs', type=int, help='trainings at a time (one per GPU, or one per core)')
    parser.add_argument('--dry-run', action='store_true', help='check everything, say what would run, and stop')
    parser.add_argument('--report-only', action='store_true', help='only write tables and report of the finished runs')
    parser.add_argument('--audit', type=Path, help='folder of an audit of false negatives, for the report')
    parser.add_argument('--cfg-options', nargs='+', action=ConfigOptions, help='override values of the spec, KEY=VALUE')
    return parser.parse_args(arguments)


@report_input_errors
def main(arguments: list[str] | None = None) -> None:
    """Run or resume the benchmark, and write tables and report."""
    options = parse_arguments(arguments)
    check_config(options.spec)
    if options.jobs is not None and options.jobs < 1:
        raise InputError(f'--jobs is {options.jobs}; give 1 or more')

    from projects.false.experiments.benchmark.outputs import run_benchmark

    run_benchmark(**vars(options))


if __name__ == '__main__':
    sys.exit(main())
