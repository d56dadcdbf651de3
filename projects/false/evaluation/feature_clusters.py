"""Maps of patches by the features of a frozen network: every pixel gets the cluster that its feature belongs to.

The clusters are fitted without labels. Determination ``evidence`` reads the maps through
:class:`~projects.false.datasets.ViewMaps`, so that one network teaches another which views show the same.
"""

import json
import math
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope
from torch import Tensor, nn

from projects.false.common.errors import InputError, check_count, check_seed, some
from projects.false.common.files import staged_folder, writable, write_text
from projects.false.datasets.view_evidence import MAPS_FILE
from projects.false.imagery.images import write_patch
from projects.false.imagery.palettes import MAX_CLASSES
from projects.false.models.preprocessor import ViewPreprocessor
from projects.false.patch_folder.appearance import k_means
from projects.false.patch_folder.pixels import PatchReader

_MOST_POINTS = 20_000  # features that k-means fits to
_ROUNDS = 3  # starts of k-means, of which the best counts
_POINTS = 'the features of the patches have', 'values'


class FrozenNetwork:
    """The backbone of a config with its weights, which turns patches into maps of unit features.

    Args:
        config: Config with ``model.backbone`` and ``model.data_preprocessor``, of a pretraining or a fine-tuning.
        weights: File of weights as for :class:`~projects.false.engine.weights.PretrainedBackbone`; None takes those of
            ``model.backbone.init_cfg``.
        stage: Which of the backbone's outputs, counted from 0; -1 is the last.

    Raises:
        InputError: A part of the config is missing, there are no weights, or they do not fit.
    """

    def __init__(self, config: Config, weights: str | None = None, stage: int = -1) -> None:
        for part, keys in {'backbone': ('type',), 'data_preprocessor': ('mean', 'std')}.items():
            found = config.model.get(part) or {}
            if any(key not in found for key in keys):
                raise InputError(
                    f'{config.filename}: has no model.{part} with {" and ".join(keys)}; give a pretraining or '
                    'fine-tuning recipe, or add it to this config'
                )
        init_default_scope(config.get('default_scope', 'mmengine'))
        spec = dict(config.model.backbone)
        if weights is not None:
            spec['init_cfg'] = dict(type='PretrainedBackbone', checkpoint=weights)
        if not spec.get('init_cfg'):
            raise InputError(f'{config.filename}: its backbone has no weights; give --weights FILE')
        if stage != -1:
            spec['out_indices'] = (stage,)
        self.backbone: nn.Module = MODELS.build(spec)
        self.backbone.init_weights()
        self.backbone.eval()  # some of OpenMMLab's return nothing here
        self.backbone.requires_grad_(False)
        norm = config.model.data_preprocessor
        self.preprocessor = ViewPreprocessor(norm.mean, norm.std, norm.get('bgr_to_rgb', True))
        device = torch.device('cuda' if torch.cuda.is_available() else 'cpu')
        self.backbone.to(device)
        self.preprocessor.to(device)

    @torch.no_grad()
    def features(self, patches: list[np.ndarray]) -> np.ndarray:
        """Return unit features of patches of one size.

        Shape:
            - patches: N of (H, W, bands), uint8, blue first. Result: (N, h, w, D), float32
        """
        images = torch.stack([torch.from_numpy(np.ascontiguousarray(patch.transpose(2, 0, 1))) for patch in patches])
        found = self.backbone(self.preprocessor({'inputs': images})['inputs'])
        last: Tensor = found if isinstance(found, Tensor) else found[-1]
        return nn.functional.normalize(last.float(), dim=1).permute(0, 2, 3, 1).contiguous().cpu().numpy()


def write_cluster_maps(
    network: FrozenNetwork,
    patches: PatchReader,
    out: str | Path,
    clusters: int = 12,
    sample: int = 300,
    batch_size: int = 16,
    seed: int = 0,
    overwrite: bool = False,
    facts: dict[str, Any] | None = None,
    progress: Callable[[str, int, int], None] = lambda step, done, total: None,
) -> Path:
    """Fit clusters to the features of some patches, and write a map of every patch, all maps or none.

    Args:
        network: The network.
        patches: The patches.
        out: Folder for the maps, ``NAME.png``, and ``maps.json``.
        clusters: K, 2 to 254.
        sample: Patches to fit to at most, drawn without replacement, at least 1.
        batch_size: Patches per call of the network, at least 1.
        seed: Seed of the draws and of k-means, at least 0.
        overwrite: Replace maps that were written before; readers see the old ones until all are there.
        facts: Further entries of ``maps.json``, such as the weights.
        progress: Called with the name of the step and the numbers of patches done and to do.

    Returns:
        The folder.

    Raises:
        InputError: A number is out of range, two patches would have one map, an image is unusable, the features have
            fewer than K different values, or the folder is taken.
    """
    for name, value in {'clusters': clusters, 'sample': sample, 'batch_size': batch_size}.items():
        check_count(name, value)
    check_seed(seed)
    if not 2 <= clusters <= MAX_CLASSES:
        raise InputError(f'clusters is {clusters}; give 2 to {MAX_CLASSES}')
    counts = Counter(patches.name(number) for number in range(len(patches)))
    several = [f'{name}.png' for name, count in counts.items() if count > 1]
    if several:
        raise InputError(
            f'{out}: several patches would have the map {some(several)}; give every patch a name of its own before the '
            'suffix, or list (--list) one patch of each name, with its suffix'
        )
    with staged_folder(out, overwrite, MAPS_FILE) as folder:
        generator = np.random.default_rng(seed)
        chosen = np.sort(generator.choice(len(patches), min(sample, len(patches)), replace=False)).tolist()
        points = []
        for done, (_, _, maps) in enumerate(_features(network, patches, chosen, batch_size), 1):
            cells = maps.reshape(-1, maps.shape[-1])
            most = math.ceil(_MOST_POINTS / len(chosen))
            points.append(cells[generator.permutation(len(cells))[:most]])
            progress('fitting clusters', done, len(chosen))
        centres = k_means(np.concatenate(points), clusters, seed, _ROUNDS, (50, 1e-4), *_POINTS)
        everything = list(range(len(patches)))
        for done, (number, (height, width), maps) in enumerate(_features(network, patches, everything, batch_size), 1):
            nearest = (maps @ centres.T - (centres**2).sum(1) / 2).argmax(-1).astype(np.uint8)
            path = folder / patches.name(number)
            with writable(out, 'give another output folder'):
                path.parent.mkdir(parents=True, exist_ok=True)
            write_patch(path, cv2.resize(nearest, (width, height), interpolation=cv2.INTER_NEAREST))
            progress('writing maps', done, len(patches))
        facts = {'kinds': clusters, 'patches': len(patches), 'fitted': len(chosen), 'seed': seed, **(facts or {})}
        write_text(folder / MAPS_FILE, json.dumps(facts, indent=1) + '\n')
    return Path(out)


def _features(
    network: FrozenNetwork, patches: PatchReader, numbers: list[int], batch_size: int
) -> Iterator[tuple[int, tuple[int, int], np.ndarray]]:
    """Yield the number of every patch, its size and its features, (h, w, D); patches of one size share a batch."""
    waiting: list[tuple[int, np.ndarray]] = []

    def finished() -> Iterator[tuple[int, tuple[int, int], np.ndarray]]:
        if waiting:
            maps = network.features([image for _, image in waiting])
            yield from ((n, image.shape[:2], found) for (n, image), found in zip(waiting, maps, strict=True))

    for number in numbers:
        image = patches.image(number)
        if len(waiting) == batch_size or (waiting and waiting[-1][1].shape != image.shape):
            yield from finished()
            waiting = []
        waiting.append((number, image))
    yield from finished()
