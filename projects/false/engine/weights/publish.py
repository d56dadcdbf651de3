"""Publish a model: a folder with weights, config, preprocessing and a model card, which any machine can load from.

A fine-tuned model is published as a whole, a pretrained one as its backbone. The folder contains no local paths.
"""

import json
import math
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path, PureWindowsPath
from typing import Any

from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope
from mmengine.utils import import_modules_from_strings
from torch import Tensor

from projects.false.common.errors import InputError, type_name
from projects.false.common.files import staged_folder, write_text
from projects.false.common.published import CARD, CONFIG, PREPROCESSING, WEIGHTS, check_plain
from projects.false.imagery.palettes import load_palette
from projects.false.patch_folder.description import read_recorded_values

from ..checkpoints.files import read_checkpoint, write_safetensors
from ..config import load_config
from .backbone import backbone_meta, backbone_weights, method_of
from .matching import exact_weights, weights_digest
from .model_card import Facts, model_card

_LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')
_OF_A_RUN = ('work_dir', 'launcher', 'load_from', 'resume')
_ABSOLUTE = re.compile(r'/|~|\\\\|[A-Za-z]:[\\/]|file:')  # the start of a path on a POSIX system or on Windows


def publish(
    config: str | os.PathLike[str],
    checkpoint: str | os.PathLike[str],
    out: str | os.PathLike[str],
    options: dict | None = None,
    scores: str | os.PathLike[str] | None = None,
    comparison: tuple[str | os.PathLike[str], str] | None = None,
    licence: str | None = None,
    overwrite: bool = False,
    version: str | None = None,
) -> Path:
    """Write the folder of a model, completely or not at all.

    Args:
        config: The config that the model was fine-tuned or pretrained with.
        checkpoint: Its checkpoint; of a pretraining also its ``backbone.pth``.
        out: The folder to make. Its name becomes the name of the model.
        options: Config values to override, as ``--cfg-options`` does.
        scores: ``scores.json`` that ``tools/test.py --out`` wrote of these weights, for the card.
        comparison: ``table.json`` of a benchmark and the name of a method in it: means over its runs, and the
            difference to the baseline with its 95 % interval, for the card.
        licence: Identifier of the licence of the weights, such as ``cc-by-4.0``; None leaves a field to fill.
        overwrite: Replace a folder that is a published model.
        version: Version of this project, for the card.

    Returns:
        The folder.

    Raises:
        InputError: Config and checkpoint do not fit, a file cannot be read, or the folder exists or cannot be written.
    """
    cfg = load_config(os.fspath(config), options)
    measured = None if scores is None else _read_scores(scores)
    compared = () if comparison is None else _read_comparison(*comparison)
    loaded = read_checkpoint(checkpoint)
    known = loaded.get('meta') if isinstance(loaded, Mapping) else None
    meta = dict(known) if isinstance(known, Mapping) else {}
    segments = 'decode_head' in cfg.get('model', {})
    weights = _weights(loaded, cfg, segments, os.fspath(checkpoint))
    if measured is not None and measured.get('weights', weights_digest(weights)) != weights_digest(weights):
        raise InputError(
            f'{os.fspath(scores or "")}: is a test of other weights ({measured.get("checkpoint")}) than those of '
            f'{os.fspath(checkpoint)}; test these'
        )
    named = _classes(cfg, meta) if segments else None
    facts = _preprocessing(cfg, named, segments)
    method = method_of(str(meta.get('cfg', ''))) or str(meta.get('method') or type_name(cfg.model.type))
    card = Facts(
        name=Path(os.path.abspath(out)).name,
        recipe=Path(str(cfg.filename)).stem,
        version=version,
        backbone=_network(cfg.model.backbone),
        method=None if segments else method,
        length=_length(meta),
        pixels=facts,
        data=PureWindowsPath(str(cfg.train_dataloader.dataset.get('data_root') or 'data')).name,
        list_file=_without_paths(cfg.train_dataloader.dataset.get('ann_file') or None),
        scores=measured,
        comparison=compared,
        licence=licence,
    )
    with staged_folder(os.fspath(out), overwrite, PREPROCESSING) as folder:
        stored = {**backbone_meta(backbone_weights(loaded) if segments else weights, meta)}
        stored |= {'dataset_meta': named} if named else {}
        write_safetensors(weights, folder / WEIGHTS, stored)
        write_text(folder / CONFIG, _portable(cfg, named).pretty_text)
        try:
            check_plain(folder / CONFIG)
        except InputError as error:
            raise InputError(
                f'{cfg.filename}: cannot be published ({str(error).split(": ", 1)[1].split(", which")[0]}); '
                'write that value out in a recipe of your own'
            ) from error
        write_text(folder / PREPROCESSING, json.dumps(facts, indent=1) + '\n')
        write_text(folder / CARD, model_card(card))
    return Path(out)


def _network(backbone: Mapping[str, Any]) -> str:
    """Name a backbone, such as ``ResNet-18`` or ``convnext_tiny of timm``."""
    name = backbone.get('model_name')
    return f'{name} of timm' if name else f'{type_name(backbone["type"])}-{backbone.get("depth", "")}'.rstrip('-')


def _weights(loaded: Any, cfg: Config, segments: bool, path: str) -> dict[str, Tensor]:
    import_modules_from_strings(**cfg.get('custom_imports', {'imports': []}))
    init_default_scope(cfg.get('default_scope', 'mmseg'))
    settings = cfg.model.copy() if segments else cfg.model.backbone.copy()
    (settings.backbone if segments else settings).init_cfg = None
    found = {} if segments else backbone_weights(loaded)
    exact = exact_weights({'state_dict': found} if found else loaded, MODELS.build(settings), path)
    return {name: value.detach().cpu().contiguous().clone() for name, value in exact.items()}


def _classes(cfg: Config, meta: Mapping) -> dict[str, list]:
    """Return ``classes`` and ``palette`` of the model, as its checkpoint or else its test data names them."""
    known = meta.get('dataset_meta') or {}
    if not known.get('classes') or not known.get('palette'):
        dataset = cfg.test_dataloader.dataset
        named = dict(load_palette(dataset.palette).metainfo) if dataset.get('palette') else {}
        known = {**named, **(dataset.get('metainfo') or {})}
    if not known.get('classes') or not known.get('palette'):
        raise InputError(f'{cfg.filename}: neither checkpoint nor test_dataloader.dataset.palette names the classes')
    return {
        'classes': [str(name) for name in known['classes']],
        'palette': [[int(value) for value in color] for color in known['palette']],
    }


def _preprocessing(cfg: Config, named: dict[str, list] | None, segments: bool) -> dict[str, Any]:
    """Describe the pixels that the model expects: bands, window, normalisation, and how values became 8 bit."""
    settings = cfg.model.get('data_preprocessor') or cfg.get('data_preprocessor') or {}
    mean, std = (list(map(float, settings.get(name) or ())) for name in ('mean', 'std'))
    size = settings.get('size') or 256
    dataset = (cfg.test_dataloader if segments else cfg.train_dataloader).dataset
    root = Path(str(dataset.get('data_root') or '.'))
    recorded = read_recorded_values(root) if (root / 'dataset.json').is_file() else None
    return {
        'bands': len(mean) or 3,
        'order': 'red first',
        'values': '8 bit, 0 to 255',
        'mean': mean,
        'std': std,
        'window': min(size) if isinstance(size, list | tuple) else size,
        'recorded': recorded,
        **({} if named is None else {'classes': named['classes'], 'colors': named['palette']}),
    }


def _portable(cfg: Config, named: dict[str, list] | None) -> Config:
    """Copy a config without what belongs to one machine or to one run."""
    values = cfg.to_dict()
    for key in _OF_A_RUN:
        values.pop(key, None)
    values['model']['backbone']['init_cfg'] = None  # the weights are beside the config
    if 'pretrained' in values['model']:
        values['model']['pretrained'] = None
    for loader in _LOADERS:
        for dataset in _datasets((values.get(loader) or {}).get('dataset')):
            if named and 'palette' in dataset:
                dataset |= {'palette': None, 'metainfo': named}
    return Config(_without_paths(values))


def _datasets(dataset: Any) -> Iterator[dict]:
    """Yield the config of a data set, and of those that it wraps or joins."""
    if isinstance(dataset, dict):
        yield dataset
        for inner in (dataset.get('dataset'), *(dataset.get('datasets') or ())):
            yield from _datasets(inner)


def _without_paths(value: Any, key: str | None = None) -> Any:
    """Replace every absolute path in a value of a config by its last part, which says enough to find the file again."""
    if isinstance(value, dict):
        return {name: _without_paths(inner, name) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_without_paths(inner, key) for inner in value)
    if not isinstance(value, str) or not _ABSOLUTE.match(value):
        return value
    name = PureWindowsPath(value).name  # of a path with / as well
    return f'data/{name}' if key == 'data_root' else name


def _length(meta: Mapping) -> str | None:
    for key, word in (('epoch', 'epochs'), ('iter', 'iterations')):
        if isinstance(meta.get(key), int) and meta[key] > 0:
            return f'{meta[key]} {word}'
    return None


def _read_json(path: str | os.PathLike[str], remedy: str) -> dict:
    try:
        found = json.loads(Path(path).read_text(encoding='utf-8'))
    except (OSError, ValueError) as error:
        raise InputError(f'{os.fspath(path)}: cannot be read ({error}); {remedy}') from error
    if not isinstance(found, dict):
        raise InputError(f'{os.fspath(path)}: not the expected content; {remedy}')
    return found


def _read_scores(path: str | os.PathLike[str]) -> dict:
    found = _read_json(path, 'give scores.json of tools/test.py --out')
    values = found.get('scores')
    if not isinstance(values, dict) or not all(isinstance(value, int | float | None) for value in values.values()):
        raise InputError(f'{os.fspath(path)}: has no scores; give scores.json of tools/test.py --out')
    return found


def _read_comparison(path: str | os.PathLike[str], method: str) -> tuple[dict, ...]:
    table = _read_json(path, 'give table.json of tools/run_benchmark.py')
    rows = table.get('rows')
    if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) and 'method' in row for row in rows):
        raise InputError(f'{os.fspath(path)}: no table of a benchmark; give table.json of tools/run_benchmark.py')
    found = [row | {'baseline': table.get('baseline')} for row in rows if row['method'] == method]
    if not found:
        known = ', '.join(dict.fromkeys(str(row['method']) for row in rows))
        raise InputError(f'{os.fspath(path)}: no method {method!r}; choose from {known}')
    return tuple(row for row in found if isinstance(row.get('mIoU'), int | float) and math.isfinite(row['mIoU']))
