"""Audit a converted data set before training on it: files, labels, and overlap between its splits.

The exit status is 1 if something would stop training or silently spoil it: files that cannot be read, masks
that are missing or differ in size from their image, label values that are not a class.

Example:
    python tools/audit_labels.py data/potsdam --out work_dirs/audit_potsdam
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # this clone, from any folder, installed or not


from projects.false.common.command_line import report_input_errors


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('data_root', metavar='DATA', help='folder as a converter leaves it')
    parser.add_argument(
        '--out', type=Path, metavar='DIR', help='folder for audit.json and audit.png (default: no files)'
    )
    parser.add_argument('--workers', type=int, help='files read at the same time (default: CPU cores, at most 8)')
    return parser.parse_args(arguments)


@report_input_errors
def main(arguments: list[str] | None = None) -> int:
    """Write the audit to files and print it."""
    options = parse_arguments(arguments)

    from rich.console import Console

    from projects.false.common.files import atomic_write, writable
    from projects.false.imagery.image_files import describe_left_out, list_imagery
    from projects.false.label_audit.audit import audit_labels
    from projects.false.label_audit.picture import audit_picture
    from projects.false.label_audit.report import audit_json, print_audit

    audit = audit_labels(options.data_root, options.workers)
    if options.out:
        with writable(options.out, 'choose another --out'):
            with atomic_write(options.out / 'audit.json') as file:
                file.writelines(piece.encode() for piece in audit_json(audit))
            with atomic_write(options.out / 'audit.png') as file:
                file.write(audit_picture(audit))
    # a pipe or file does not tell how wide a line may be
    console = Console(width=None if sys.stdout.isatty() else 160)
    print_audit(audit, console)
    left_out = describe_left_out(list_imagery(Path(options.data_root) / 'images').left_out)
    if left_out:
        console.print(left_out, highlight=False, markup=False, soft_wrap=True)
    if options.out:
        console.print(f'audit.json and audit.png are in {options.out}', highlight=False, markup=False, soft_wrap=True)
    return 0 if audit.passed else 1


if __name__ == '__main__':
    sys.exit(main())
