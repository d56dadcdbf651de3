"""Export a fine-tuned model as an ONNX file that takes uint8 pixels, red first, and compare the two."""

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

from projects.false.common.errors import InputError
from projects.false.common.files import atomic_path
from projects.false.imagery.images import band_order

from .map_image import MapOptions
from .onnx_segmenter import KEY, OnnxSegmenter
from .pixel_rule import choose_rule
from .segmenter import Segmenter, TorchSegmenter
from .sources import find_sources, read_rows
from .windows import WindowBatches


class AveragingPool(nn.Module):
    """What ``nn.AdaptiveAvgPool2d`` computes: the mean of each of n x m bins that may overlap.

    Exporters to ONNX turn the original away, or fix its bins at the size of the example.

    Args:
        output_size: Bins along height and width.

    Shape:
        - input: (N, C, H, W), H and W at least 1
        - output: (N, C, *output_size)
    """

    def __init__(self, output_size: tuple[int, int]) -> None:
        super().__init__()
        self.output_size = output_size

    def forward(self, features: Tensor) -> Tensor:
        """Pool."""
        rows, columns = (
            _averages(length, bins).to(features)
            for length, bins in zip(features.shape[2:], self.output_size, strict=True)
        )
        return rows @ features @ columns.T


def _averages(length: int, bins: int) -> Tensor:
    """(bins, length): row i averages from floor(i L / n) up to, and without, ceil((i + 1) L / n)."""
    weight = torch.zeros(bins, length)
    for number in range(bins):
        first, stop = number * length // bins, -(-(number + 1) * length // bins)
        weight[number, first:stop] = 1 / (stop - first)
    return weight


def replace_pools(module: nn.Module) -> None:
    """Put :class:`AveragingPool` in the place of every ``nn.AdaptiveAvgPool2d`` in a module."""
    for name, child in module.named_children():
        if isinstance(child, nn.AdaptiveAvgPool2d):
            size = child.output_size
            setattr(module, name, AveragingPool(tuple(size) if isinstance(size, tuple | list) else (size, size)))
        else:
            replace_pools(child)


def sample_windows(
    sources: Sequence[str | Path], segmenter: Segmenter, window: int, count: int = 8
) -> list[np.ndarray]:
    """The first window with data of each of the first images.

    Args:
        sources: Images, or folders of them.
        segmenter: Says which bands, and how they are scaled.
        window: Side of the windows in pixels.
        count: How many, at most.

    Shape:
        - result: (window, window, bands) each, uint8, red first

    Raises:
        InputError: An image is unusable, or none has data.
    """
    found: list[np.ndarray] = []
    for raster in find_sources(sources, most=count):
        rule = choose_rule(raster, segmenter.bands, recorded=segmenter.recorded)
        plan = MapOptions(window=window, overlap=0).plan(segmenter, raster.height, raster.width)
        rows = read_rows(raster, rule, threads=1)
        found += [batch.pixels[0] for batch, _ in zip(WindowBatches(rows, plan, 1), range(1), strict=False)]
        rows.close()
    return found


def made_windows(bands: int, window: int, count: int = 8) -> list[np.ndarray]:
    """Random squares of several sizes, where there is no image at hand; shapes as of :func:`sample_windows`."""
    generator, windows = np.random.default_rng(0), []
    for _ in range(count):
        side = int(generator.integers(2, 17))
        levels = generator.integers(0, 256, (-(-window // side),) * 2 + (bands,), dtype=np.uint8)
        windows.append(levels.repeat(side, axis=0).repeat(side, axis=1)[:window, :window])
    return windows


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
    outputs = preprocessor({'inputs': list(lit[:, band_order(bands)])})['inputs']
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
