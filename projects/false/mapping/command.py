"""Turn the arguments of tools/infer.py into a model, its images and the options of the mapping."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from projects.false.common.command_line import split_given
from projects.false.common.errors import InputError, check_temperature

from .options import MapOptions
from .pixel_rule import recorded_rule
from .segmenter import Segmenter

if TYPE_CHECKING:
    from .map_rasters import Mapped


def load_model(options: argparse.Namespace, device: str | None) -> tuple[Segmenter, list[str]]:
    """Load the model, by the library that it needs, and return it with the images to map.

    Args:
        options: As ``tools/infer.py`` reads them.
        device: Where it computes; None takes a GPU if there is one.

    Raises:
        InputError: The model cannot be loaded.
    """
    if options.onnx:
        from .onnx_segmenter import OnnxSegmenter  # imports onnxruntime

        return OnnxSegmenter(options.onnx, device), options.given
    from .load_segmenter import load_segmenter  # imports PyTorch and OpenMMLab

    config, checkpoint, inputs = split_given(options.given)
    return load_segmenter(config, checkpoint, options.cfg_options, device, options.precision), inputs


def map_options(options: argparse.Namespace, segmenter: Segmenter) -> MapOptions:
    """Return the options of the mapping.

    Raises:
        InputError: ``--data`` is not a data set, or it has no recorded bands and ranges.
    """
    recorded = segmenter.recorded
    if options.data:
        recorded = recorded_rule(options.data)
        if recorded is None:
            raise InputError(
                f'{Path(options.data, "dataset.json")}: has no bands and ranges; give a data set of rasters.py, or '
                '--bands and --range'
            )
    names: tuple[str, ...] = (
        'window',
        'overlap',
        'blend',
        'flip',
        'bands',
        'confidence',
        'preview',
        'areas',
        'overwrite',
    )
    names += ('allow_remote', 'polygons', 'min_area', 'simplify', 'batch_size', 'threads')
    chosen = {name: getattr(options, name) for name in names}
    chosen['temperature'] = read_temperature(options.temperature, segmenter)
    return MapOptions(**chosen, value_range=options.range, recorded=recorded)


def read_temperature(given: str | None, segmenter: Segmenter) -> float:
    """Read ``--temperature``: a number, or a file that ``tools/calibrate.py`` wrote for this model.

    Args:
        given: What the command line says; None is a temperature of 1.
        segmenter: The model.

    Raises:
        InputError: It is neither, or the file was written for another model.
    """
    try:
        number, model = 1.0 if given is None else float(given), None
    except ValueError:
        number, model = _fitted(str(given))
    known = getattr(segmenter, 'exported_from', segmenter.identity)
    if model is not None and not known.startswith(f'{model} '):
        raise InputError(f'{given}: was fitted to {model}, the model here is {known}; run tools/calibrate.py for it')
    check_temperature('--temperature', number)
    return number


def report(mapped: Mapped) -> str:
    """Describe a map in one line."""
    if mapped.counts is None:
        return f'up to date: {mapped.path}'
    nodata, total = int(mapped.counts[255]), int(mapped.counts.sum())
    skipped = f', {mapped.skipped} windows without data left out' if mapped.skipped else ''
    empty = f', {nodata / total:.1%} nodata' if nodata else ''
    return f'wrote {mapped.path}: {total / 1e6:.2f} megapixels, {mapped.windows} windows{empty}{skipped}'


def _fitted(path: str) -> tuple[float, str]:
    try:
        content = json.loads(Path(path).read_text(encoding='utf-8'))
        return content['temperature'], content['model']
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f'--temperature {path}: give a number, or a file of tools/calibrate.py') from error
