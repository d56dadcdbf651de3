"""A fine-tuned model as an ONNX file that takes pixels as they are: uint8, red first."""

import copy
import json
import logging
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from mmseg.models.utils import resize
from torch import Tensor, nn

from projects.false.atomic_write import atomic_path
from projects.false.errors import InputError

from .averaging_pool import replace_pools
from .onnx_segmenter import KEY, OnnxSegmenter
from .segmenter import TorchSegmenter, blue_first

TOLERANCE = 1e-3  # of the largest logit


class Agreement(NamedTuple):
    """How well a file agrees with its model.

    Args:
        patches: How many patches were compared.
        difference: Largest difference of a logit, as a share of the largest logit.
        same: Share of pixels with the same class.
    """

    patches: int
    difference: float
    same: float


class _Network(nn.Module):
    """Normalisation, network and enlargement of the logits in one.

    Shape:
        - input: (N, bands, H, W), uint8, red first
        - output: (N, classes, H, W), float32
    """

    def __init__(self, segmenter: TorchSegmenter) -> None:
        super().__init__()
        model = copy.deepcopy(segmenter.model).float()
        replace_pools(model)
        self.backbone, self.neck, self.head = model.backbone, getattr(model, 'neck', None), model.decode_head
        preprocessor = model.data_preprocessor
        self.register_buffer('mean', preprocessor.mean.reshape(1, -1, 1, 1))
        self.register_buffer('std', preprocessor.std.reshape(1, -1, 1, 1))
        self.order = _order(preprocessor, segmenter.bands, segmenter.device)

    def forward(self, pixels: Tensor) -> Tensor:
        """Logits."""
        images = pixels.float() if self.order == sorted(self.order) else pixels[:, self.order].float()
        features = self.backbone((images - self.mean) / self.std)
        features = features if self.neck is None else self.neck(features)
        logits = self.head(features)
        return resize(logits, size=pixels.shape[2:], mode='bilinear', align_corners=self.head.align_corners)


def _order(preprocessor: nn.Module, bands: int, device: torch.device) -> list[int]:
    """Which band of a file, red first, each input of the network is: found out by lighting up one after the other."""
    lit = (torch.eye(bands, device=device) * 255).to(torch.uint8)[:, :, None, None]
    outputs = preprocessor({'inputs': list(lit[:, blue_first(bands)])})['inputs']
    dark = preprocessor({'inputs': [torch.zeros_like(lit[0])]})['inputs']
    return (outputs - dark)[:, :, 0, 0].argmax(dim=0).tolist()


def export_onnx(segmenter: TorchSegmenter, out: str | Path, window: int, patches: Sequence[np.ndarray]) -> Agreement:
    """Write an ONNX file, once it is found to agree with the model.

    The number of windows a call is free, their side is fixed. The file also holds the names and colours of the classes
    and how pixels are made.

    Args:
        segmenter: The model, in float32.
        out: File to write.
        window: Side of the windows in pixels.
        patches: Windows to compare on.

    Shape:
        - patches: (window, window, bands) each, uint8, red first

    Raises:
        InputError: The file does not agree with the model, or cannot be written.
    """
    found: list[Agreement] = []

    def verify(temporary: Path) -> None:
        found.append(compare(segmenter, temporary, patches))
        if not found[0].difference < TOLERANCE:
            raise InputError(
                f'{out}: its logits differ by {found[0].difference:.2g} of the largest from those of the model, '
                f'at most {TOLERANCE:g} is allowed; it was not kept'
            )

    try:
        with atomic_path(out, verify) as temporary:
            temporary.write_bytes(_onnx(segmenter, window))
    except OSError as error:
        raise InputError(f'{out}: cannot be written ({error.strerror or error}); give another file') from error
    return found[0]


def _onnx(segmenter: TorchSegmenter, window: int) -> bytes:
    network = _Network(segmenter).eval()
    example = torch.zeros((2, segmenter.bands, window, window), dtype=torch.uint8, device=segmenter.device)
    dynamic = {'pixels': {0: torch.export.Dim('windows', min=1)}}
    logging.getLogger('torch.onnx').setLevel(logging.ERROR)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter('ignore')  # exporters warn of their own insides
        program = torch.onnx.export(
            network,
            (example,),
            dynamo=True,
            input_names=['pixels'],
            output_names=['logits'],
            dynamic_shapes=dynamic,
            external_data=False,
            verbose=False,
        )
    model = program.model_proto
    entry = model.metadata_props.add()
    entry.key, entry.value = KEY, json.dumps(_facts(segmenter, window))
    return model.SerializeToString()


def _facts(segmenter: TorchSegmenter, window: int) -> dict:
    rule = segmenter.recorded
    return {
        'classes': list(segmenter.palette.classes),
        'colors': [list(color) for color in segmenter.palette.colors],
        'bands': segmenter.bands,
        'window': window,
        'recorded': rule and {'bands': rule.bands, 'ranges': rule.ranges},
        'identity': segmenter.identity,
    }


def compare(segmenter: TorchSegmenter, path: Path, patches: Sequence[np.ndarray]) -> Agreement:
    """Compare the logits of a file and its model, once for all patches and once for the first alone."""
    exported = OnnxSegmenter(path)
    difference, same = 0.0, 1.0
    for batch in (np.stack(patches), np.stack(patches[:1])):
        ours, theirs = segmenter(batch).cpu(), exported(batch)
        difference = max(difference, float((ours - theirs).abs().max() / ours.abs().max()))
        same = min(same, float((ours.argmax(1) == theirs.argmax(1)).float().mean()))
    return Agreement(len(patches), difference, same)
