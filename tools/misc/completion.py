"""Print the code that makes your shell complete the commands, options and recipes of false-rs.

Example:
    eval "$(false-rs completion bash)"   # in ~/.bashrc; for zsh in ~/.zshrc
    false-rs completion fish > ~/.config/fish/completions/false-rs.fish
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # this clone, from any folder, installed or not

from projects.false.common.command_line import report_input_errors
from projects.false.common.errors import InputError


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('shell', choices=['bash', 'zsh', 'fish'], help='your shell')
    return parser.parse_args(arguments)


@report_input_errors
def main(arguments: list[str] | None = None) -> None:
    """Print the code."""
    options = parse_arguments(arguments)
    try:
        import argcomplete
    except ModuleNotFoundError as error:
        raise InputError('completion needs argcomplete; run: pip install argcomplete') from error

    print(argcomplete.shellcode(['false-rs'], shell=options.shell))


if __name__ == '__main__':
    sys.exit(main())
