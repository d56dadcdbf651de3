"""Print a recipe merged with its bases: python tools/misc/print_config.py CONFIG [--cfg-options KEY=VALUE ...]"""

import argparse
import contextlib
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # this clone, from any folder, installed or not

from projects.false.common.command_line import ConfigOptions, check_config, report_input_errors


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config file, for example configs/false_simclr_r50_potsdam.py')
    parser.add_argument('--cfg-options', nargs='+', action=ConfigOptions, help='override config values, KEY=VALUE')
    return parser.parse_args(arguments)


@report_input_errors
def main(arguments: list[str] | None = None) -> None:
    """Print it as it would be written down in one file."""
    options = parse_arguments(arguments)
    check_config(options.config)

    with contextlib.redirect_stdout(sys.stderr):  # mmseg prints when it is imported
        from projects.false.engine.config import load_config

        config = load_config(options.config, options.cfg_options)
    print(config.pretty_text, end='')


if __name__ == '__main__':
    sys.exit(main())
