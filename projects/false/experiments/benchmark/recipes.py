"""The configs of a benchmark: a recipe with its options, and the settings that all runs share."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from mmengine.config import Config

from projects.false.common.errors import InputError, type_name
from projects.false.datasets.view_evidence import appearance_file
from projects.false.engine.config import load_config
from projects.false.patch_folder.appearance import FILE

from .spec import Recipe

_INTERVAL = 10  # iterations between two points of a loss curve


def pretraining_recipe(recipe: Recipe, epochs: int | None) -> Config:
    """Build the config of a pretraining, without data and seed.

    Raises:
        InputError: The recipe does not pretrain by epochs.
    """
    config = load_config(recipe.config, dict(recipe.options), source='options of the spec:')
    loop = config.get('train_cfg') or {}
    if loop.get('max_epochs') is None or 'export_backbone' not in config.get('default_hooks', {}):
        raise InputError(
            f'{recipe.config}: does not pretrain: it needs train_cfg.max_epochs and the hook export_backbone; '
            'give one of the recipes whose names begin with simclr, mocov2 or false'
        )
    if epochs is not None:
        config.train_cfg.max_epochs = epochs
    config.default_hooks.logger.interval = _INTERVAL
    return config


def fine_tuning_recipe(recipe: Recipe, iterations: int | None) -> Config:
    """Build the config of a fine-tuning and its test, without data, backbone and seed and without validation.

    Raises:
        InputError: The recipe does not fine-tune by iterations, or has no initialization of the backbone.
    """
    config = load_config(recipe.config, dict(recipe.options), source='options of the spec:')
    loop = config.get('train_cfg') or {}
    if loop.get('max_iters') is None or not config.get('test_dataloader'):
        raise InputError(
            f'{recipe.config}: does not fine-tune: it needs train_cfg.max_iters and test_dataloader; give one of the '
            'recipes whose names begin with upernet'
        )
    if not (config.model.get('backbone') or {}).get('init_cfg'):
        raise InputError(f'{recipe.config}: model.backbone.init_cfg is missing; give dict(type="PretrainedBackbone")')
    if iterations is not None:
        config.train_cfg.max_iters = iterations
    config.val_cfg = config.val_dataloader = config.val_evaluator = None
    config.default_hooks.logger.interval = min(_INTERVAL, config.train_cfg.max_iters)
    return config


def digest(*parts: object) -> str:
    """Return a short fingerprint of what a run depends on: configs, texts, numbers."""
    plain = [part.to_dict() if isinstance(part, Config) else part for part in parts]
    text = json.dumps(plain, sort_keys=True, default=repr)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def file_digest(path: str | Path) -> str:
    """Return a short fingerprint of the content of a file."""
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()[:16]


def files_read(config: Config, root: Path) -> dict[str, str | None]:
    """Return fingerprints of the files that a training reads beside its patches.

    These are the files that its config names, the maps of ``ViewMaps``, and ``appearance.json`` where
    ``ViewAppearance`` takes that of the data.

    Args:
        config: Config of the training, without data and backbone.
        root: Folder of the data.

    Returns:
        Fingerprints by path as in the config; None for an ``appearance.json`` that the pretraining will make. Other
        files that are missing are left out.
    """
    found: dict[str, str | None] = {}
    for value in _values(config.to_dict()):
        if isinstance(value, str):
            with suppress(OSError, RuntimeError):  # it cannot be a path
                path = Path(value).expanduser()
                if path.is_file():
                    found[value] = file_digest(path)
        elif type_name(value.get('type')) == 'ViewMaps' and value.get('folder'):
            folder = Path(value['folder'])
            maps = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob('*')) if path.is_file()}
            seen = [(name, file_digest(path)) for name, path in maps.items() if not f'/{name}'.count('/.')]
            if seen:
                found[str(value['folder'])] = digest(seen)
        elif type_name(value.get('type')) == 'ViewAppearance' and not value.get('file'):
            found[FILE] = appearance_digest(root)
    return found


def appearance_digest(root: Path) -> str | None:
    """Return the fingerprint of the clusters that fit the patches of a folder; None if there are none yet."""
    with suppress(InputError):
        return file_digest(appearance_file(root / 'images'))
    return None


def _values(value: Any) -> Iterator[Any]:
    """Yield every dict and every text in a config."""
    if isinstance(value, dict | str):
        yield value
    if isinstance(value, dict | list | tuple):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _values(inner)
