"""Export a fine-tuned model as an ONNX file that takes uint8 pixels, red first, and check that the two agree."""

import copy
import json
import logging
import warnings
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from projects.false.common.errors import InputError
from projects.false.common.files import atomic_path, writable
from projects.false.imagery.images import band_order

from .onnx_segmenter import KEY, OnnxSegmenter
from .options import MapOptions
from .pixel_rule import choose_rule
from .segmenter import Segmenter
from .sources import find_sources, read_rows
from .torch_segmenter import TorchSegmenter
from .windows import WindowBatches

TOLERANCE = 1e-3  # largest allowed difference of a logit, as a share of the largest logit


class Agreement(NamedTuple):
    """Agreement of a file with its model.

    Args:
        patches: Number of patches compared.
        difference: Largest difference of a logit, as a share of the largest logit.
        same: Share of pixels with the same class.
    """

    patches: int
    difference: float
    same: float


def export_onnx(segmenter: TorchSegmenter, out: str | Path, window: int, patches: Sequence[np.ndarray]) -> Agreement:
    """Write an ONNX file, and keep it only if it agrees with the model.

    The number of windows per call is variable; their size is fixed. The file also holds the names and colours of the
    classes, and the rule by which values become pixels.

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

    with writable(out, 'give another file'), atomic_path(out, verify) as temporary:
        example = torch.zeros((2, segmenter.bands, window, window), dtype=torch.uint8, device=segmenter.device)
        known = {KEY: json.dumps(_facts(segmenter, window))}
        temporary.write_bytes(onnx_bytes(SegmenterNetwork(segmenter).eval(), example, 'pixels', 'logits', known))
    return found[0]


def onnx_bytes(network: nn.Module, example: Tensor, name: str, result: str, metadata: Mapping[str, str]) -> bytes:
    """Export a network with one input and one output as ONNX, for any number of windows per call.

    Args:
        network: In evaluation mode.
        example: An input, which fixes all sizes but the first.
        name, result: Names of input and output in the file.
        metadata: Texts to store in the file.
    """
    logging.getLogger('torch.onnx').setLevel(logging.ERROR)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter('ignore')  # the exporter warns about its own internals
        program = torch.onnx.export(
            network,
            (example,),
            dynamo=True,
            input_names=[name],
            output_names=[result],
            dynamic_shapes=({0: torch.export.Dim('windows', min=1)},),
            external_data=False,
            verbose=False,
        )
    assert program is not None  # the exporter without dynamo returns None
    model = program.model_proto
    for key, value in metadata.items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, value
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


class SegmenterNetwork(nn.Module):
    """Normalisation, network and upsampling of the logits as one module.

    Shape:
        - input: (N, bands, H, W), values from 0 to 255 of any type, red first
        - output: (N, classes, H, W), float32
    """

    mean: Tensor
    std: Tensor

    def __init__(self, segmenter: TorchSegmenter) -> None:
        super().__init__()
        model = copy.deepcopy(segmenter.model).float()
        replace_pools(model)
        self.backbone, self.head = model.get_submodule('backbone'), model.get_submodule('decode_head')
        self.neck: nn.Module | None = getattr(model, 'neck', None)
        self.align_corners = bool(self.head.align_corners)
        preprocessor = model.get_submodule('data_preprocessor')
        self.register_buffer('mean', preprocessor.get_buffer('mean').reshape(1, -1, 1, 1))
        self.register_buffer('std', preprocessor.get_buffer('std').reshape(1, -1, 1, 1))
        self.order = _band_order(preprocessor, segmenter.bands, segmenter.device)

    def forward(self, pixels: Tensor) -> Tensor:
        """Compute the logits."""
        images = pixels.float() if self.order == sorted(self.order) else pixels[:, self.order].float()
        features = self.backbone((images - self.mean) / self.std)
        features = features if self.neck is None else self.neck(features)
        return functional.interpolate(
            self.head(features), size=pixels.shape[2:], mode='bilinear', align_corners=self.align_corners
        )


def _band_order(preprocessor: nn.Module, bands: int, device: torch.device) -> list[int]:
    """Find the band of a file, red first, that each network input receives, by lighting up one band at a time."""
    lit = (torch.eye(bands, device=device) * 255).to(torch.uint8)[:, :, None, None]
    outputs = preprocessor({'inputs': list(lit[:, band_order(bands)])})['inputs']
    dark = preprocessor({'inputs': [torch.zeros_like(lit[0])]})['inputs']
    return (outputs - dark)[:, :, 0, 0].argmax(dim=0).tolist()


class AveragingPool(nn.Module):
    """Adaptive average pooling in a form that can be exported: the mean of each of n x m bins, which may overlap.

    ONNX exporters refuse ``nn.AdaptiveAvgPool2d``, or fix its bins at the size of the example.

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
        """Average the features within each bin."""
        rows, columns = (
            _averages(length, bins).to(features)
            for length, bins in zip(features.shape[2:], self.output_size, strict=True)
        )
        return rows @ features @ columns.T


def _averages(length: int, bins: int) -> Tensor:
    """Return (bins, length) weights: row i averages from floor(i L / n) up to, but excluding, ceil((i + 1) L / n)."""
    weight = torch.zeros(bins, length)
    for number in range(bins):
        first, stop = number * length // bins, -(-(number + 1) * length // bins)
        weight[number, first:stop] = 1 / (stop - first)
    return weight


def replace_pools(module: nn.Module) -> None:
    """Replace every ``nn.AdaptiveAvgPool2d`` in a module by an :class:`AveragingPool`."""
    for name, child in module.named_children():
        if isinstance(child, nn.AdaptiveAvgPool2d):
            size: Any = child.output_size
            rows, columns = size if isinstance(size, tuple | list) else (size, size)
            setattr(module, name, AveragingPool((rows, columns)))
        else:
            replace_pools(child)


def compare(segmenter: TorchSegmenter, path: Path, patches: Sequence[np.ndarray]) -> Agreement:
    """Compare the logits of a file with those of its model, for all patches together and for the first alone."""
    exported = OnnxSegmenter(path)
    difference, same = 0.0, 1.0
    for batch in (np.stack(patches), np.stack(patches[:1])):
        ours, theirs = segmenter(batch).cpu(), torch.from_numpy(exported(batch))
        difference = max(difference, float((ours - theirs).abs().max() / ours.abs().max()))
        same = min(same, float((ours.argmax(1) == theirs.argmax(1)).float().mean()))
    return Agreement(len(patches), difference, same)


def sample_windows(
    sources: Sequence[str | Path], segmenter: Segmenter, window: int, count: int = 8, patches: bool = False
) -> list[np.ndarray]:
    """Read the first window with data of each of the first images.

    Args:
        sources: Images, or folders of them.
        segmenter: The model, which decides the bands and their scaling.
        window: Side of the windows in pixels.
        count: Largest number of windows.
        patches: The images are patches of a data set, 8 bit and with the bands of the model; otherwise they are like
            the imagery that its data was made from.

    Shape:
        - result: (window, window, bands) each, uint8, red first

    Raises:
        InputError: An image is unusable, or none has a pixel of data.
    """
    found: list[np.ndarray] = []
    every = range(1, segmenter.bands + 1)
    for raster in find_sources(sources, limit=count):
        if patches:
            rule = choose_rule(raster, segmenter.bands, bands=every)
        else:
            rule = choose_rule(raster, segmenter.bands, recorded=segmenter.recorded)
        plan = MapOptions(window=window, overlap=0).plan(segmenter, raster.height, raster.width)
        with closing(read_rows(raster, rule, threads=1)) as rows:
            batch = next(iter(WindowBatches(rows, plan, 1)), None)
        if batch is not None:
            found.append(batch.pixels[0])
    if not found:
        raise InputError(f'{sources[0]}: no window of the images has data; give others with --images')
    return found


def made_windows(bands: int, window: int, count: int = 8) -> list[np.ndarray]:
    """Draw windows of random squares of several sizes, to replace images; shapes as in :func:`sample_windows`."""
    generator, windows = np.random.default_rng(0), []
    for _ in range(count):
        side = int(generator.integers(2, 17))
        levels = generator.integers(0, 256, (-(-window // side),) * 2 + (bands,), dtype=np.uint8)
        windows.append(levels.repeat(side, axis=0).repeat(side, axis=1)[:window, :window])
    return windows
