"""Export a fine-tuned model for the QGIS plugin Deepness, which maps in QGIS without Python code of this project.

The plugin (0.6 and later) divides 8-bit pixels by 255, subtracts a mean and divides by a standard deviation that the
file may name, and takes the class for which the model returns the largest value. So the file takes pixels in [0, 1],
declares that nothing is to be subtracted, and returns probabilities. Its keys:
https://qgis-plugin-deepness.readthedocs.io/en/latest/creators/creators_add_metadata_to_model.html
"""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from torch import Tensor, nn

from projects.false.common.errors import InputError, check_range
from projects.false.common.files import atomic_path, writable

from ..onnx_export import Agreement, SegmenterNetwork, onnx_bytes
from ..torch_segmenter import TorchSegmenter

TOLERANCE = 1e-4  # largest allowed difference of a probability
INPUT, OUTPUT = 'image', 'probabilities'


class _Probabilities(nn.Module):
    """From pixels in [0, 1], (N, bands, H, W), red first, to probabilities, (N, classes, H, W)."""

    def __init__(self, segmenter: TorchSegmenter, temperature: float) -> None:
        super().__init__()
        self.network, self.temperature = SegmenterNetwork(segmenter), temperature

    def forward(self, image: Tensor) -> Tensor:
        """Compute the probabilities."""
        return torch.softmax(self.network(image * 255) / self.temperature, dim=1)


def deepness_metadata(
    classes: Sequence[str], bands: int, window: int, resolution: float, overlap: float = 0.25
) -> dict[str, str]:
    """Return what the plugin reads from the file, as JSON texts by key.

    The size of tiles is given twice: the plugin's documents call it ``tiles_size``, its code reads ``tile_size``. A
    threshold of 0 keeps unsure pixels in their likeliest class; otherwise the plugin would assign them to the first.

    Args:
        classes: Names of the classes.
        bands: Number of bands.
        window: Side of the tiles in pixels.
        resolution: Ground sample distance in centimetres per pixel; the plugin resamples images to it.
        overlap: Share of a tile in common with its neighbour, in [0, 0.8].

    Raises:
        InputError: A value is out of range.
    """
    check_range('--resolution', resolution, 0.01, 1e6)
    check_range('--overlap', overlap, 0, 0.8)
    content = {
        'model_type': 'Segmentor',
        'class_names': {str(index): name for index, name in enumerate(classes)},
        'resolution': resolution,
        'tiles_size': window,
        'tile_size': window,
        'tiles_overlap': round(100 * overlap),
        'standardization_mean': [0.0] * bands,
        'standardization_std': [1.0] * bands,
        'seg_thresh': 0.0,
        'seg_small_segment': 0,
    }
    return {key: json.dumps(value) for key, value in content.items()}


def export_deepness(
    segmenter: TorchSegmenter,
    out: str | Path,
    window: int,
    patches: Sequence[np.ndarray],
    resolution: float,
    overlap: float = 0.25,
    temperature: float = 1.0,
) -> Agreement:
    """Write an ONNX file for the plugin, and keep it only if its probabilities are those of the model.

    Args:
        segmenter: The model, in float32.
        out: File to write.
        window: Side of the tiles in pixels.
        patches: Windows to compare on.
        resolution, overlap: See :func:`deepness_metadata`.
        temperature: The logits are divided by it, see ``tools/calibrate.py``.

    Shape:
        - patches: (window, window, bands) each, uint8, red first

    Returns:
        The agreement, with the largest difference of a probability.

    Raises:
        InputError: The file does not agree with the model, or cannot be written.
    """
    known = deepness_metadata(segmenter.palette.classes, segmenter.bands, window, resolution, overlap)
    found: list[Agreement] = []

    def verify(temporary: Path) -> None:
        found.append(_compare(segmenter, temporary, patches, temperature))
        if not found[0].difference < TOLERANCE:
            raise InputError(
                f'{out}: its probabilities differ by {found[0].difference:.2g} from those of the model, at most '
                f'{TOLERANCE:g} is allowed; it was not kept'
            )

    example = torch.zeros((2, segmenter.bands, window, window), device=segmenter.device)
    with writable(out, 'give another file'), atomic_path(out, verify) as temporary:
        network = _Probabilities(segmenter, temperature).eval()
        temporary.write_bytes(onnx_bytes(network, example, INPUT, OUTPUT, known))
    return found[0]


def _compare(segmenter: TorchSegmenter, path: Path, patches: Sequence[np.ndarray], temperature: float) -> Agreement:
    session = onnxruntime.InferenceSession(str(path), providers=['CPUExecutionProvider'])
    difference, same = 0.0, 1.0
    for batch in (np.stack(patches), np.stack(patches[:1])):
        ours = torch.softmax(segmenter(batch).float().cpu() / temperature, dim=1)
        scaled = np.ascontiguousarray(batch.transpose(0, 3, 1, 2), np.float32) / np.float32(255)
        theirs = torch.from_numpy(session.run(None, {INPUT: scaled})[0])
        difference = max(difference, float((ours - theirs).abs().max()))
        same = min(same, float((ours.argmax(1) == theirs.argmax(1)).float().mean()))
    return Agreement(len(patches), difference, same)
