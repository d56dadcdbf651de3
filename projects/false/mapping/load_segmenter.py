"""Load a segmenter from a config and a checkpoint; the only module of mapping that imports OpenMMLab."""

import hashlib
import json
from pathlib import Path
from typing import Any

import torch
from mmcv.cnn.utils import fuse_conv_bn
from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope
from mmengine.utils import import_modules_from_strings

from projects.false.common.errors import InputError, type_name
from projects.false.common.published import find_checkpoint, published_folder
from projects.false.engine.checkpoints.files import read_checkpoint
from projects.false.engine.config import load_config
from projects.false.engine.precision import find_device
from projects.false.engine.weights.matching import exact_weights
from projects.false.imagery.palettes import Palette, load_palette

from .pixel_rule import published_rule, recorded_rule
from .segmenter import check_classes
from .torch_segmenter import PRECISIONS, TorchSegmenter

_SYNC = ('SyncBN', 'SyncBatchNorm')
_FOR_TRAINING = ('init_cfg', 'pretrained', 'auxiliary_head', 'loss_decode', 'train_cfg')
_PIXELS_ONLY = ('LoadPatch', 'LoadIndexMask', 'PackSegInputs')  # steps that leave the pixels as they are


def load_segmenter(
    config: str,
    checkpoint: str | None = None,
    options: dict | None = None,
    device: str | None = None,
    precision: str | None = None,
    fused: bool = True,
) -> TorchSegmenter:
    """Build a fine-tuned model and load all its weights.

    Args:
        config: The config that it was trained with, or a published model.
        checkpoint: File that ``tools/train.py`` wrote; None for that of the published model.
        options: Config values to override, as ``--cfg-options`` does.
        device: ``'cpu'``, ``'cuda'``, ``'cuda:1'``; None takes a GPU if there is one.
        precision: ``'float32'``, ``'bfloat16'`` or ``'float16'``; None takes float16 on a GPU and float32 on a CPU.
        fused: Merge batch normalisation into the convolutions, which is faster and the same up to rounding.

    Raises:
        InputError: Config and checkpoint do not fit, or the test pipeline has a step that mapping cannot repeat.
    """
    if checkpoint is None:
        checkpoint = config
    cfg = load_config(config, options)
    if not (isinstance(cfg.get('model'), dict) and isinstance(cfg.get('test_dataloader'), dict)):
        raise InputError(
            f'{config}: has no segmentation model to test; give a fine-tuning recipe, such as upernet_r18_*'
        )
    target = find_device(device)
    precision = precision or ('float16' if target.type == 'cuda' else 'float32')
    if precision not in PRECISIONS:
        raise InputError(f'precision is {precision!r}; give one of {", ".join(PRECISIONS)}')
    import_modules_from_strings(**cfg.get('custom_imports', {'imports': []}))
    init_default_scope(cfg.get('default_scope', 'mmseg'))
    loaded = read_checkpoint(checkpoint)
    model = _build(cfg, config)
    model.load_state_dict(exact_weights(loaded, model, checkpoint))
    palette = _palette(cfg, loaded)
    check_classes(palette, _outputs(model), checkpoint)
    model.register_module('auxiliary_head', None)  # only used in training
    model = fuse_conv_bn(model.eval()) if fused else model.eval()
    model = model.to(target).to(memory_format=torch.channels_last)
    root = Path(cfg.test_dataloader.dataset.get('data_root') or '.')
    published = published_folder(config)
    if published is not None:
        recorded = published_rule(published)
    else:
        recorded = recorded_rule(root) if (root / 'dataset.json').is_file() else None
    file = find_checkpoint(checkpoint)
    identity = f'{file.name} {hashlib.sha256(file.read_bytes()).hexdigest()[:16]} {_model_digest(cfg)}'
    return TorchSegmenter(model, palette, _bands(cfg, config), _window(cfg), precision, identity, recorded)


def _model_digest(cfg: Config) -> str:
    """Return a digest of the settings of the model, since an option such as another mean changes its logits too."""
    text = json.dumps(_in_use(cfg.model.to_dict()), default=lambda value: getattr(value, '__qualname__', str(value)))
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def _in_use(settings: Any) -> Any:
    """Leave out what only training uses."""
    if isinstance(settings, dict):
        return {key: _in_use(value) for key, value in settings.items() if key not in _FOR_TRAINING}
    return [_in_use(value) for value in settings] if isinstance(settings, list | tuple) else settings


def _build(cfg: Config, path: str) -> torch.nn.Module:
    settings = cfg.model.copy()
    settings.backbone = {**settings.backbone, 'init_cfg': None}  # weights come from the checkpoint
    # One process needs no statistics of others, and SyncBN does not run on a CPU.
    model = MODELS.build(_without_sync(settings))
    if not hasattr(model, 'encode_decode') or not hasattr(model, 'decode_head'):
        raise InputError(f'{path}: mapping cannot use a {type_name(settings.type)}; give a config of an EncoderDecoder')
    if _outputs(model) < 2:
        raise InputError(f'{path}: the model has a single output; give one with an output per class')
    return model


def _outputs(model: torch.nn.Module) -> int:
    return getattr(model.decode_head, 'out_channels', 0)


def _without_sync(settings: Any) -> Any:
    if isinstance(settings, dict):
        return {
            key: 'BN' if key == 'type' and type_name(value) in _SYNC else _without_sync(value)
            for key, value in settings.items()
        }
    return [_without_sync(value) for value in settings] if isinstance(settings, list) else settings


def _palette(cfg: Config, loaded: dict) -> Palette:
    known = loaded.get('meta', {}).get('dataset_meta') or {}
    if not known.get('classes') or not known.get('palette'):
        dataset = cfg.test_dataloader.dataset
        if 'palette' not in dataset:
            raise InputError(
                f'{cfg.filename}: neither checkpoint nor test_dataloader.dataset.palette names the classes'
            )
        named = load_palette(dataset.palette)
        known = {'classes': named.classes, 'palette': named.colors, **(dataset.get('metainfo') or {})}
    return Palette.from_metainfo(known, 'model')


def _bands(cfg: Config, path: str) -> int:
    steps = cfg.test_dataloader.dataset.get('pipeline', [])
    names = [type_name(step.type) for step in steps]
    other = [name for name in names if name not in _PIXELS_ONLY]
    if other or not names or names[0] != 'LoadPatch':
        raise InputError(
            f'{path}: the test pipeline does {", ".join(other) or "not load patches"}, which mapping cannot repeat; '
            f'test_dataloader.dataset.pipeline may have {", ".join(_PIXELS_ONLY)}'
        )
    return steps[0].get('bands', 3)


def _window(cfg: Config) -> int:
    size = cfg.model.data_preprocessor.get('size') or cfg.model.get('test_cfg', {}).get('crop_size') or 256
    return min(size) if isinstance(size, list | tuple) else size


def find_test_images(config: str, options: dict | None) -> list[Path]:
    """Return the folder of the test patches of a config, in a list; the list is empty if there is no such folder."""
    dataset = load_config(config, options, needs=['test_dataloader']).test_dataloader.dataset
    folder = Path(dataset.get('data_root') or '.', (dataset.get('data_prefix') or {}).get('img_path', 'images'))
    return [folder] if folder.is_dir() else []
