"""Map whole images with a fine-tuned model: python tools/infer.py CONFIG CHECKPOINT INPUT... --out DIR.

INPUT is an image that GDAL reads, or a folder of them. Every image becomes DIR/NAME_classes.tif: tiled, compressed,
with the georeference of the image and the colours and names of the classes.

Example:
    python tools/infer.py configs/upernet_r18_mbrsc.py work_dirs/upernet_r18_mbrsc/iter_200.pth scene.tif --out maps
    python tools/infer.py published/mine scene.tif --out maps
    python tools/infer.py --onnx model.onnx scene.tif --out maps
"""

import argparse
import sys
import time
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # this clone, from any folder, installed or not

from projects.false.common.command_line import (
    ConfigOptions,
    check_checkpoint,
    check_config,
    check_source,
    report_input_errors,
    split_given,
)
from projects.false.common.errors import InputError
from projects.false.common.parent_death import end_with_launcher


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    forms = ('CONFIG CHECKPOINT', 'MODEL', '--onnx FILE')
    usage = '\n       '.join(f'%(prog)s {form} INPUT... --out DIR [options]' for form in forms)
    style = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(usage=usage, description=__doc__, formatter_class=style)
    add = parser.add_argument
    model = 'MODEL is a folder of tools/publish.py, or hf://OWNER/NAME; with --onnx only INPUT...'
    add('given', nargs='+', metavar='CONFIG CHECKPOINT INPUT', help=model)
    add('--out', required=True, metavar='DIR', help='folder for the maps')
    add('--onnx', metavar='FILE', help='a model from tools/export.py, instead of config and checkpoint')
    add('--window', type=int, help="side of the windows in pixels (default: that of the model's training)")
    add('--overlap', type=float, default=0.5, help='share of a window in common with its neighbour (default: 0.5)')
    add('--blend', choices=['smooth', 'uniform'], default='smooth', help="weights of a window's pixels (smooth)")
    add('--flip', action='store_true', help='average over mirrored windows, which takes four times as long')
    add('--bands', type=int, nargs='+', help='bands to take, from 1, red first')
    add('--range', type=float, nargs=2, metavar=('LOW', 'HIGH'), help='values that become 0 and 255, in every band')
    add('--data', metavar='DIR', help='data set of rasters.py whose bands and ranges to take')
    add('--confidence', action='store_true', help='also NAME_confidence.tif, in percent')
    add('--temperature', metavar='T', help='number or file of tools/calibrate.py, for an honest --confidence')
    add('--preview', action='store_true', help='also NAME_preview.png, image and map with a legend')
    add('--areas', action='store_true', help='also NAME_areas.csv, pixels, percent and hectares per class')
    add('--polygons', action='store_true', help='also NAME_polygons.gpkg with class, area and confidence, for QGIS')
    add(
        '--min-area', type=float, default=0, metavar='M2', help='polygons below become part of a neighbour (default: 0)'
    )
    add('--simplify', type=float, default=0, metavar='M', help='metres by which borders may move, about (default: 0)')
    add('--allow-remote', action='store_true', help='INPUT may be the http(s) address of a GeoTIFF, read in parts')
    add('--overwrite', action='store_true', help='replace maps made from another image, model or window')
    add('--batch-size', type=int, help='windows per call of the model (default: 8 on a CPU, 32 on a GPU)')
    add('--threads', type=int, help='parts of a file read at the same time (default: CPU cores, at most 8)')
    add('--device', help='cpu, cuda, cuda:1 (default: a GPU if there is one)')
    add('--precision', choices=['float32', 'bfloat16', 'float16'], help='default: float16 on a GPU, float32 on a CPU')
    add('--launcher', choices=['none', 'pytorch', 'slurm'], default='none', help='set by dist_infer.sh, slurm_infer.sh')
    add('--cfg-options', nargs='+', action=ConfigOptions, help='override config values, KEY=VALUE')
    return parser.parse_args(arguments)


def check_arguments(options: argparse.Namespace) -> None:
    """Check what can be checked before anything heavy is imported.

    Raises:
        InputError: A file does not exist, or options do not go together.
    """
    if options.onnx:
        for name in ('precision', 'cfg_options'):
            if getattr(options, name):
                option = name.replace('_', '-')
                raise InputError(f'--{option} belongs to config and checkpoint; leave it out with --onnx')
        inputs = options.given
    else:
        config, checkpoint, inputs = split_given(options.given)
        check_config(config)
        check_checkpoint(checkpoint)
    if options.temperature is not None and not (options.confidence or options.polygons):
        raise InputError('--temperature is for the confidence; add --confidence or --polygons, or leave it out')
    for name in ('min_area', 'simplify'):
        if getattr(options, name) and not options.polygons:
            raise InputError(f'--{name.replace("_", "-")} belongs to polygons; give --polygons as well')
    for source in inputs:
        if not source.startswith(('http://', 'https://')):
            check_source(source)
        elif not options.allow_remote:
            raise InputError(f'{source}: is a web address; give --allow-remote, or download it')


@report_input_errors
def main(arguments: list[str] | None = None) -> None:
    """Map every input and print one line per map."""
    end_with_launcher()
    options = parse_arguments(arguments)
    check_arguments(options)

    from projects.false.mapping.command import load_model, map_options, report

    if options.launcher == 'none':
        from projects.false.mapping.map_rasters import map_rasters

        team = None
        segmenter, inputs = load_model(options, options.device)
        run = map_rasters
    else:
        from projects.false.mapping.bands.shares import Team, map_shared

        team = Team.connect(options.launcher)
        segmenter, inputs = load_model(options, team.device(options.device))
        run = partial(map_shared, team)
    started, total = time.perf_counter(), 0
    for mapped in run(segmenter, inputs, options.out, map_options(options, segmenter), print):
        print(report(mapped), flush=True)
        total += 0 if mapped.counts is None else int(mapped.counts.sum())
    seconds = time.perf_counter() - started
    if team is not None:
        total = team.count('pixels', 0) if team.first else 0
    if total:
        print(f'{total / 1e6:.1f} megapixels in {seconds:.1f} s, {total / 1e6 / seconds:.2f} per second')


if __name__ == '__main__':
    sys.exit(main())
