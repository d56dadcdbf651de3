"""Convert ResNet weights: python tools/model_converters/convert_weights.py CHECKPOINT OUT --to FORM."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # runs from a clone, too

import argparse

from projects.false.common.command_line import report_input_errors
from projects.false.engine.weights.conversion import FORMS, convert_weights


@report_input_errors
def main(arguments: list[str] | None = None) -> None:
    """Convert and print how the names compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.epilog = '\n'.join(['forms:', *(f'  {form:12} {text}' for form, text in FORMS.items())])
    parser.add_argument(
        'checkpoint', help='.pth or .safetensors of this project, OpenMMLab, torchvision, timm, MoCo, VISSL'
    )
    parser.add_argument('out', help='file to write: .pth, .pt or .safetensors')
    parser.add_argument('--to', required=True, choices=FORMS, help='form of the new file')
    parser.add_argument('--prefix', help="before the ResNet's names, such as module.encoder_k.; looked for if left out")
    options = parser.parse_args(arguments)
    done = convert_weights(options.checkpoint, options.out, options.to, options.prefix)
    print(f'{options.checkpoint}: {done.source}')
    print(done.report.text())
    heads = f' and {done.heads} of the heads' if done.heads else ''
    print(f'wrote {len(done.report.matched)} tensors{heads} to {options.out} ({options.to})')


if __name__ == '__main__':
    sys.exit(main())
