"""Convert the weights of a backbone: python tools/model_converters/convert_weights.py CHECKPOINT OUT --to FORM."""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # this clone, from any folder, installed or not

from projects.false.common.command_line import check_checkpoint, report_input_errors

FORMS = {
    'ours': "backbone.pth, as pretraining leaves it: what a recipe's model.backbone.init_cfg.checkpoint takes",
    'mmseg': 'OpenMMLab: names begin with "backbone."; of a fine-tuned checkpoint with its heads and classes',
    'torchvision': 'plain state dict of torchvision.models.resnetN without its classifier fc; three bands',
    'timm': 'plain state dict of timm.create_model("resnetN", num_classes=0); any number of bands (in_chans). Of a '
    'TimmBackbone: its own network, up to the last map',
}


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.epilog = '\n'.join(['forms:', *(f'  {form:12} {text}' for form, text in FORMS.items())])
    parser.add_argument('checkpoint', help='.pth or .safetensors of this project or any library, with a ResNet')
    parser.add_argument('out', help='file to write: .pth, .pt or .safetensors')
    parser.add_argument('--to', required=True, choices=FORMS, help='form of the new file')
    parser.add_argument(
        '--prefix', help="before the ResNet's names, such as module.encoder_k.; searched for if left out"
    )
    return parser.parse_args(arguments)


@report_input_errors
def main(arguments: list[str] | None = None) -> None:
    """Convert and print how the names compare."""
    options = parse_arguments(arguments)
    check_checkpoint(options.checkpoint)

    from projects.false.engine.weights.conversion import convert_weights

    done = convert_weights(options.checkpoint, options.out, options.to, options.prefix)
    print(f'{options.checkpoint}: {done.source}')
    print(done.report.text())
    heads = f' and {done.heads} of the heads' if done.heads else ''
    print(f'wrote {len(done.report.matched)} tensors{heads} to {options.out} ({options.to})')


if __name__ == '__main__':
    sys.exit(main())
