"""Export a fine-tuned model to ONNX: python tools/export.py CONFIG CHECKPOINT OUT.onnx.

The file takes windows (n, bands, H, W) of 8-bit pixels, red first, any number at a time, and returns logits of shape
(n, classes, H, W). It is only kept if it agrees with the model on patches of the config's test data, or on
generated patches if there is no such data.

Example:
    python tools/export.py configs/upernet_r18_mbrsc.py work_dirs/upernet_r18_mbrsc/iter_200.pth model.onnx
    python tools/infer.py --onnx model.onnx scene.tif --out maps
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # this clone, from any folder, installed or not

from projects.false.common.command_line import ConfigOptions, check_checkpoint, check_config, report_input_errors
from projects.false.common.errors import check_count


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', help='config that the model was fine-tuned with')
    parser.add_argument('checkpoint', help='what tools/train.py wrote')
    parser.add_argument('out', metavar='OUT.onnx', help='file to write')
    parser.add_argument('--window', type=int, help="side of the windows (default: that of the model's training)")
    parser.add_argument('--images', nargs='+', help='images to compare on (default: those of the test data)')
    parser.add_argument('--cfg-options', nargs='+', action=ConfigOptions, help='override config values, KEY=VALUE')
    return parser.parse_args(arguments)


@report_input_errors
def main(arguments: list[str] | None = None) -> None:
    """Export, and print how well file and model agree."""
    options = parse_arguments(arguments)
    if options.window is not None:
        check_count('--window', options.window)
    check_config(options.config)
    check_checkpoint(options.checkpoint)

    from projects.false.mapping.load_segmenter import find_test_images, load_segmenter
    from projects.false.mapping.onnx_export import export_onnx, made_windows, sample_windows

    segmenter = load_segmenter(options.config, options.checkpoint, options.cfg_options, 'cpu', 'float32')
    window = segmenter.window if options.window is None else options.window
    images = options.images or find_test_images(options.config, options.cfg_options)
    patches = sample_windows(images, segmenter, window) if images else made_windows(segmenter.bands, window)
    found = export_onnx(segmenter, options.out, window, patches)
    print(
        f'wrote {options.out}: {Path(options.out).stat().st_size / 1e6:.1f} MB, windows of {window} pixels; on '
        f'{found.patches} {"" if images else "generated "}patches logits differ by {found.difference:.1g} of the '
        f'largest, {found.same:.4%} of pixels have the same class'
    )


if __name__ == '__main__':
    sys.exit(main())
