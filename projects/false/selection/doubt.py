"""How doubtful a fine-tuned model is about patches: the entropy of its classes, averaged over the pixels."""

from collections.abc import Sequence
from itertools import groupby, islice
from typing import Any

import numpy as np
import torch

from projects.false.common.errors import InputError
from projects.false.common.threads import map_ahead, show_progress
from projects.false.imagery.images import band_order
from projects.false.mapping.load_segmenter import load_segmenter

from .features import Read

_BATCH = 16


def measure_doubt(
    model: tuple[str, str], reads: Sequence[Read], description: dict[str, Any], workers: int, device: str | None = None
) -> np.ndarray:
    """Return the doubt of a model about every patch: 0 if it is sure of all pixels, 1 if all classes are equal.

    Args:
        model: Config and checkpoint of a fine-tuning.
        reads: Functions that return the n patches, blue first.
        description: ``dataset.json`` of the patches.
        workers: Number of threads that read.
        device: Where to compute; None takes a GPU if there is one.

    Shape:
        - result: (n,), float64

    Raises:
        InputError: Config and checkpoint do not fit, or take other bands than the patches have.
    """
    config, checkpoint = model
    segmenter = load_segmenter(config, checkpoint, device=device, precision='float32')
    bands = len((description.get('bands') or {}).get('names') or 'RGB')
    if segmenter.bands != bands:
        raise InputError(
            f'{config}: the model takes {segmenter.bands} band(s), the patches have {bands}; give a model of this data'
        )
    images = map_ahead(lambda read: read(), reads, workers, 4 * _BATCH)
    found: list[np.ndarray] = []
    for _ in show_progress(iter(range(-(-len(reads) // _BATCH))), -(-len(reads) // _BATCH), 'measuring doubt'):
        for _, group in groupby(list(islice(images, _BATCH)), key=lambda image: image.shape):
            pixels = np.ascontiguousarray(np.stack(list(group))[..., band_order(bands)])
            found.append(mean_entropy(segmenter(pixels)))
    return np.concatenate(found)


def mean_entropy(logits: torch.Tensor) -> np.ndarray:
    """Return the entropy of the softmax, averaged over pixels, as a share of the largest possible.

    Shape:
        - logits: (n, classes, H, W); result: (n,), float64
    """
    logs = logits.float().log_softmax(dim=1)
    entropy = -(logs.exp() * logs).sum(dim=1) / float(np.log(logits.shape[1]))
    result: np.ndarray = entropy.flatten(1).mean(dim=1, dtype=torch.float64).cpu().numpy()
    return result
