"""Export the backbone of a pretraining checkpoint: python tools/export_backbone.py CKPT OUT."""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # this clone, from any folder, installed or not

from projects.false.common.command_line import check_checkpoint, report_input_errors


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        'checkpoint', help='pretraining checkpoint, such as work_dirs/false_mocov2_r50_potsdam/epoch_200.pth'
    )
    parser.add_argument('out', help='file to write, such as backbone.pth')
    return parser.parse_args(arguments)


@report_input_errors
def main(arguments: list[str] | None = None) -> None:
    """Export and print what was written."""
    options = parse_arguments(arguments)
    check_checkpoint(options.checkpoint)

    from projects.false.engine.weights.backbone import export_backbone

    written = export_backbone(options.checkpoint, options.out)
    facts = ', '.join(f'{key} {value}' for key, value in written['meta'].items())
    print(f'{options.out}: {len(written["state_dict"])} tensors ({facts})')


if __name__ == '__main__':
    sys.exit(main())
