"""Features of patches from a frozen backbone, in a memory-mapped file.

A feature is the global average of the backbone's last map for the whole patch, of length 1, in float16.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby, islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn

from projects.false.common.errors import InputError
from projects.false.common.files import atomic_path, writable, write_text
from projects.false.common.random_state import seeded
from projects.false.common.threads import map_ahead, show_progress
from projects.false.engine.checkpoints.files import read_checkpoint
from projects.false.engine.checkpoints.mmengine_loader import local_file
from projects.false.engine.config import load_config
from projects.false.engine.precision import find_device
from projects.false.engine.weights.pretrained_backbone import PretrainedBackbone
from projects.false.engine.weights.resnet import describe_backbone, find_resnet, resnet_layout
from projects.false.imagery.images import band_order
from projects.false.models.timm_backbone import TimmBackbone

RANDOM = 'random'  # in place of a file: weights drawn by the seed
IMAGENET = 'imagenet'  # in place of a file: EfficientNet-Lite0 with the weights of an installed package
_LITE0 = 'tf_efficientnet_lite0'
_LITE0_FILE = f'imagenet://{_LITE0}'
_MEAN, _STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)  # of R, G, B, as in configs/_base_/pixels.py
_BATCH = 64

Read = Callable[[], np.ndarray]


class Backbone(NamedTuple):
    """A frozen network with the normalisation of its pixels.

    Args:
        network: Takes (n, bands, H, W), float32; returns a map, a feature, or a sequence whose last entry is one.
        mean, std: Per band, red first, in grey levels.
        identity: Text that changes whenever the features may change.
    """

    network: nn.Module
    mean: Sequence[float]
    std: Sequence[float]
    identity: str

    @torch.inference_mode()
    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Compute features of length 1.

        Shape:
            - images: (n, H, W, bands), uint8, blue first; result: (n, D), float32
        """
        device = next(self.network.parameters()).device
        order = band_order(images.shape[3])
        pixels = torch.from_numpy(np.ascontiguousarray(images[..., order].transpose(0, 3, 1, 2))).to(device).float()
        mean, std = (torch.tensor(values, device=device).view(-1, 1, 1) for values in (self.mean, self.std))
        found = self.network((pixels - mean) / std)
        while isinstance(found, list | tuple):
            found = found[-1]
        vectors = found.float().flatten(2).mean(2) if found.ndim > 2 else found.float()
        result: np.ndarray = nn.functional.normalize(vectors).cpu().numpy()
        return result


def load_backbone(
    path: str, description: dict[str, Any], config: str | None = None, seed: int = 0, device: str | None = None
) -> Backbone:
    """Load a backbone in evaluation mode.

    Args:
        path: A file that :class:`~projects.false.engine.weights.pretrained_backbone.PretrainedBackbone` reads,
            :data:`IMAGENET` for EfficientNet-Lite0 with its ImageNet weights, or :data:`RANDOM` for weights
            drawn by the seed.
        description: ``dataset.json`` of the patches. Its bands, mean and std apply unless there are three bands; for
            three, mean and std are ImageNet's, as in every recipe.
        config: Recipe whose ``model.backbone`` and pixel normalisation are taken. None takes the ResNet that is in the
            file, and ResNet-18 for random weights.
        seed: Seed of random weights.
        device: Where to compute; None takes a GPU if there is one.

    Raises:
        InputError: The file is unusable, does not fit the recipe, or takes other bands than the patches have; or
            the device is not there.
    """
    target = find_device(device)
    bands = len((description.get('bands') or {}).get('names') or 'RGB')
    file = {RANDOM: None, IMAGENET: _LITE0_FILE}.get(path, path)
    digest = f'seed {seed}' if file is None else hashlib.sha256(_bytes(file)).hexdigest()[:16]
    with seeded((seed, 0)):
        if config is not None:
            network, mean, std, backbone = _of_recipe(config)
            digest = f'{digest} {Path(config).name} {hashlib.sha256(backbone.encode()).hexdigest()[:16]}'
        elif file == _LITE0_FILE:
            network, mean, std = TimmBackbone(_LITE0), _MEAN, _STD
        else:
            network, mean, std = _resnet(file, bands), _MEAN, _STD
            if bands != 3:
                mean, std = (tuple(description.get(key, ())) for key in ('mean', 'std'))
        if file is not None:
            PretrainedBackbone(file)(network)
    if len(mean) != bands or len(std) != bands:
        raise InputError(f'{config or path}: takes {len(mean)} band(s), the patches have {bands}; give another')
    network.eval()  # in a line of its own: OpenMMLab's does not return the network
    return Backbone(network.to(target), mean, std, f'{Path(path).name} {digest} {list(mean)} {list(std)}')


def _bytes(path: str) -> bytes:
    file = local_file(path)
    read_checkpoint(file, mmap=True)  # refuses a missing file, or one that is not a checkpoint
    return file.read_bytes()


def _resnet(file: str | None, bands: int) -> nn.Module:
    from torchvision import models

    depth = 18
    if file is not None:
        weights = find_resnet(read_checkpoint(local_file(file)), file).weights
        layout = resnet_layout(weights)
        found = layout[2] if layout else None
        if found is None or 'stem.0.weight' in weights:
            raise InputError(
                f'{file}: holds {describe_backbone(weights)} of another form than the standard one; give --config with '
                'the recipe that it was trained with'
            )
        depth, taken = found, weights['conv1.weight'].shape[1]
        if taken != bands:
            raise InputError(f'{file}: takes {taken} band(s), the patches have {bands}; give another backbone')
    network: nn.Module = getattr(models, f'resnet{depth}')()
    if bands != 3:
        network.conv1 = nn.Conv2d(bands, 64, 7, 2, 3, bias=False)
    features = nn.Sequential()
    for name, child in network.named_children():
        if name not in ('avgpool', 'fc'):
            features.add_module(name, child)
    return features


def _of_recipe(config: str) -> tuple[nn.Module, Sequence[float], Sequence[float], str]:
    """Return the backbone of a recipe, mean and std of its pixels, and its settings as text."""
    from mmengine.registry import MODELS, init_default_scope
    from mmengine.utils import import_modules_from_strings

    cfg = load_config(config)
    model: dict[str, Any] = cfg.get('model', {})
    pixels: dict[str, Any] = model.get('data_preprocessor') or {}
    if 'backbone' not in model or 'mean' not in pixels or 'std' not in pixels:
        raise InputError(f'{config}: has no model.backbone with model.data_preprocessor.mean and std; give a recipe')
    import_modules_from_strings(**cfg.get('custom_imports', {'imports': []}))
    init_default_scope(cfg.get('default_scope', 'mmengine'))
    settings = {**model['backbone'], 'init_cfg': None}
    network = MODELS.build(settings)
    if hasattr(network, 'init_weights'):
        network.init_weights()
    network.init_cfg = None  # mmseg's ResNet sets one of its own, which is no longer needed
    return network, list(pixels['mean']), list(pixels['std']), json.dumps(settings, sort_keys=True, default=str)


def write_features(
    path: Path, names: Sequence[str], reads: Sequence[Read], backbone: Backbone, state: str, workers: int
) -> np.ndarray:
    """Compute the features of patches into a file, or reuse those of the same patches and backbone.

    Memory holds some batches of images; the file has 2 D bytes per patch. It appears once it is complete. Batches do
    not depend on the number of workers, so neither do features.

    Args:
        path: The file, ``.npy``; ``.json`` beside it tells what it was made of.
        names: n names, all different.
        reads: Functions that return the patches, blue first.
        backbone: Network that computes the features.
        state: Text that changes whenever the patches may have changed.
        workers: Number of threads that read.

    Returns:
        The features, mapped from the file.

    Shape:
        - result: (n, D), float16

    Raises:
        InputError: A patch is unreadable, or the file cannot be written.
    """
    made_of = hashlib.sha256('\n'.join([backbone.identity, state, *names]).encode('utf-8', 'surrogateescape'))
    facts = {'made_of': made_of.hexdigest(), 'patches': len(names), 'backbone': backbone.identity}
    known = path.with_suffix('.json')
    if path.is_file() and known.is_file() and known.read_text(encoding='utf-8') == json.dumps(facts):
        array: np.ndarray = np.load(path, mmap_mode='r')
        return array
    with writable(path, 'choose another --out'):
        known.unlink(missing_ok=True)
        with atomic_path(path) as temporary:
            written = None
            batches = _batches(map_ahead(lambda read: read(), reads, workers, 4 * _BATCH))
            count, start = -(-len(names) // _BATCH), 0
            for batch in show_progress(batches, count, 'computing features'):
                found = _compute(batch, backbone)
                if written is None:
                    shape = (len(names), found.shape[1])
                    written = np.lib.format.open_memmap(temporary, 'w+', np.float16, shape)
                written[start : start + len(found)] = found
                start += len(found)
            assert written is not None
            written.flush()
            del written
        write_text(known, json.dumps(facts))
    result: np.ndarray = np.load(path, mmap_mode='r')
    return result


def _batches(images: Iterator[np.ndarray]) -> Iterator[list[np.ndarray]]:
    while batch := list(islice(images, _BATCH)):
        yield batch


def _compute(batch: list[np.ndarray], backbone: Backbone) -> np.ndarray:
    """Compute the features of a batch; consecutive patches of equal size are computed at once."""
    groups = (list(group) for _, group in groupby(batch, key=lambda image: image.shape))
    return np.concatenate([backbone(np.stack(group)) for group in groups])
