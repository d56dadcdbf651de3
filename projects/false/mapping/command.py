"""From the command line of tools/infer.py to a mapping."""

import argparse
from pathlib import Path

from projects.false.common.errors import InputError

from .load_segmenter import load_segmenter
from .map_image import MapOptions
from .map_rasters import Mapped
from .pixel_rule import PixelRule, recorded_rule
from .segmenter import Segmenter


def load_model(options: argparse.Namespace) -> tuple[Segmenter, list[str]]:
    """The model and the images to map.

    Raises:
        InputError: The model cannot be loaded, or there is no image.
    """
    if options.onnx:
        foreign = [name for name in ('precision', 'cfg_options') if getattr(options, name)]
        if foreign:
            raise InputError(f'--{foreign[0].replace("_", "-")} is of config and checkpoint; leave it out with --onnx')
        from .onnx_segmenter import OnnxSegmenter  # onnxruntime is needed for this alone

        return OnnxSegmenter(options.onnx, options.device), options.given
    if len(options.given) < 3:
        raise InputError('give CONFIG CHECKPOINT INPUT..., or --onnx FILE INPUT...')
    config, checkpoint, *inputs = options.given
    return load_segmenter(config, checkpoint, options.cfg_options, options.device, options.precision), inputs


def map_options(options: argparse.Namespace, segmenter: Segmenter) -> MapOptions:
    """The options of the mapping.

    Raises:
        InputError: ``--data`` is no data set, or one whose pixels were not scaled.
    """
    recorded: PixelRule | None = segmenter.recorded
    if options.data:
        recorded = recorded_rule(options.data)
        if recorded is None:
            raise InputError(
                f'{Path(options.data, "dataset.json")}: has no bands and ranges; give a data set of rasters.py, or '
                '--bands and --range themselves'
            )
    names = ('window', 'overlap', 'blend', 'flip', 'bands', 'confidence', 'preview', 'areas', 'overwrite')
    chosen = {name: getattr(options, name) for name in (*names, 'batch_size', 'threads')}
    return MapOptions(**chosen, value_range=options.range, recorded=recorded)


def report(mapped: Mapped) -> str:
    """One line about a map."""
    if mapped.counts is None:
        return f'up to date: {mapped.path}'
    nodata, total = int(mapped.counts[255]), int(mapped.counts.sum())
    skipped = f', {mapped.skipped} windows without data left out' if mapped.skipped else ''
    empty = f', {nodata / total:.1%} nodata' if nodata else ''
    return f'wrote {mapped.path}: {total / 1e6:.2f} megapixels, {mapped.windows} windows{empty}{skipped}'
