"""Export a fine-tuned model to ONNX: python tools/export.py CONFIG CHECKPOINT OUT.onnx.

The file takes windows (n, bands, H, W) of 8-bit pixels, red first, any number at a time, and returns logits of shape
(n, classes, H, W). It is only kept if it agrees with the model on patches of the config's test data, or on
generated patches if there is no such data.

With --for deepness, the file is for the QGIS plugin of that name: it takes float32 pixels in [0, 1] and returns
probabilities.

Example:
    python tools/export.py configs/upernet_r18_mbrsc.py work_dirs/upernet_r18_mbrsc/iter_200.pth model.onnx
    python tools/infer.py --onnx model.onnx scene.tif --out maps
    python tools/export.py configs/upernet_r18_mbrsc.py work_dirs/upernet_r18_mbrsc/iter_200.pth plugin.onnx \\
        --for deepness --resolution 30
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # this clone, from any folder, installed or not

from projects.false.common.command_line import ConfigOptions, check_checkpoint, check_config, report_input_errors
from projects.false.common.errors import InputError, check_count


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', help='config that the model was fine-tuned with')
    parser.add_argument('checkpoint', help='what tools/train.py wrote')
    parser.add_argument('out', metavar='OUT.onnx', help='file to write')
    parser.add_argument(
        '--for', choices=['infer', 'deepness'], default='infer', dest='reader', help='who reads it (infer)'
    )
    parser.add_argument(
        '--resolution', type=float, help='deepness: ground sample distance of the training images in cm'
    )
    parser.add_argument('--overlap', type=float, help='deepness: share that tiles have in common (0.25)')
    parser.add_argument('--temperature', metavar='T', help='deepness: number or file of tools/calibrate.py')
    parser.add_argument('--window', type=int, help="side of the windows (default: that of the model's training)")
    parser.add_argument('--images', nargs='+', help='images to compare on (default: those of the test data)')
    parser.add_argument('--cfg-options', nargs='+', action=ConfigOptions, help='override config values, KEY=VALUE')
    return parser.parse_args(arguments)


def check_arguments(options: argparse.Namespace) -> None:
    """Check that the options belong to the reader of the file.

    Raises:
        InputError: They do not.
    """
    if options.reader == 'deepness' and options.resolution is None:
        raise InputError('--for deepness: say how large a pixel of the training images is, --resolution CENTIMETRES')
    for name in ('resolution', 'overlap', 'temperature'):
        if options.reader != 'deepness' and getattr(options, name) is not None:
            raise InputError(f'--{name} is for the plugin; add --for deepness, or leave it out')


@report_input_errors
def main(arguments: list[str] | None = None) -> None:
    """Export, and print how well file and model agree."""
    options = parse_arguments(arguments)
    if options.window is not None:
        check_count('--window', options.window)
    check_config(options.config)
    check_checkpoint(options.checkpoint)
    check_arguments(options)

    from projects.false.mapping.load_segmenter import find_test_images, load_segmenter
    from projects.false.mapping.onnx_export import export_onnx, made_windows, sample_windows

    segmenter = load_segmenter(options.config, options.checkpoint, options.cfg_options, 'cpu', 'float32')
    window = segmenter.window if options.window is None else options.window
    images = options.images or find_test_images(options.config, options.cfg_options)
    if images:
        patches = sample_windows(images, segmenter, window, patches=not options.images)
    else:
        patches = made_windows(segmenter.bands, window)
    if options.reader == 'deepness':
        from projects.false.mapping.command import read_temperature
        from projects.false.mapping.qgis.deepness import export_deepness

        temperature = read_temperature(options.temperature, segmenter)
        overlap = 0.25 if options.overlap is None else options.overlap
        found = export_deepness(segmenter, options.out, window, patches, options.resolution, overlap, temperature)
        compared, share = 'probabilities', ''
    else:
        found = export_onnx(segmenter, options.out, window, patches)
        compared, share = 'logits', ' of the largest'
    print(
        f'wrote {options.out}: {Path(options.out).stat().st_size / 1e6:.1f} MB, windows of {window} pixels; on '
        f'{found.patches} {"" if images else "generated "}patches {compared} differ by {found.difference:.1g}'
        f'{share}, {found.same:.4%} of pixels have the same class'
    )


if __name__ == '__main__':
    sys.exit(main())
