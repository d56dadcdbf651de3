"""Publish a model: python tools/publish.py CONFIG CHECKPOINT OUT.

OUT becomes a folder with weights, config, preprocessing and model card. A fine-tuned model is published whole; of a
pretraining, only the backbone is. Give the folder in place of config and checkpoint, on any machine. Once uploaded to
Hugging Face, it is hf://OWNER/NAME after `hf download OWNER/NAME`.

Example:
    python tools/publish.py mine.py work_dirs/mine/iter_200.pth published/mine --scores scores/scores.json
    python tools/infer.py published/mine scene.tif --out maps
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # this clone, from any folder, installed or not

from projects.false.common.command_line import ConfigOptions, check_checkpoint, check_config, report_input_errors


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', help='config that the model was trained with')
    parser.add_argument('checkpoint', help='what tools/train.py wrote')
    parser.add_argument('out', metavar='OUT', help='folder to make; its name is that of the model')
    parser.add_argument('--scores', metavar='FILE', help='scores.json of tools/test.py --out, for the card')
    parser.add_argument(
        '--benchmark', nargs=2, metavar=('TABLE', 'METHOD'), help='table.json of a benchmark and the method to report'
    )
    parser.add_argument('--licence', '--license', metavar='ID', help='of the weights, such as cc-by-4.0 (to fill in)')
    parser.add_argument('--overwrite', action='store_true', help='replace a folder that is a published model')
    parser.add_argument('--cfg-options', nargs='+', action=ConfigOptions, help='override config values, KEY=VALUE')
    return parser.parse_args(arguments)


@report_input_errors
def main(arguments: list[str] | None = None) -> None:
    """Publish and print what is left to fill in."""
    options = parse_arguments(arguments)
    check_config(options.config)
    check_checkpoint(options.checkpoint)

    from projects.false import __version__
    from projects.false.engine.weights.publish import publish

    folder = publish(
        *(options.config, options.checkpoint, options.out, options.cfg_options),
        scores=options.scores,
        comparison=options.benchmark and tuple(options.benchmark),
        licence=options.licence,
        overwrite=options.overwrite,
        version=__version__,
    )
    fields = (folder / 'README.md').read_text(encoding='utf-8').count('**to fill in**')
    files = ', '.join(sorted(path.name for path in folder.iterdir()))
    print(f'wrote {folder}: {files}; {fields} fields of README.md are marked "to fill in"')


if __name__ == '__main__':
    sys.exit(main())
