"""Report what is installed, what is wrong with it and how to fix it: python tools/doctor.py

Exit status 1 if training would fail, otherwise 0. Needs nothing but Python 3.8 or later.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # this clone, from any folder, installed or not

try:
    from projects.false.doctor.checks import check_all
    from projects.false.doctor.facts import collect
    from projects.false.doctor.report import show
except ModuleNotFoundError:  # a regular package anywhere on the path goes before our namespace package
    import projects

    sys.exit(f'error: {projects.__file__} hides this project: remove that file, or take it off PYTHONPATH')


def main(arguments: list[str] | None = None) -> int:
    """Collect the facts, check them and show the problems."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--timeout', type=float, default=300.0, help='seconds for importing everything (default: 300)')
    options = parser.parse_args(arguments)
    if options.timeout <= 0:
        parser.error(f'--timeout is {options.timeout:g}; give more than 0 seconds')
    print('importing every package once, this may take half a minute ...', file=sys.stderr)
    facts = collect(options.timeout)
    problems = check_all(facts)
    show(facts, problems)
    return int(any(problem.level == 'error' for problem in problems))


if __name__ == '__main__':
    sys.exit(main())
