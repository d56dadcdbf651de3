import numpy as np
import pytest
import torch

from projects.false.common.errors import InputError
from projects.false.mapping.load_segmenter import load_segmenter
from projects.false.selection.doubt import mean_entropy, measure_doubt
from tests.helpers.fine_tuned import save_fine_tuned


def test_entropy_of_known_classes():
    logits = torch.zeros(3, 4, 2, 2)
    logits[1, 0] = 1000.0
    logits[2, 0, 0] = 1000.0  # sure of one row of two
    assert mean_entropy(logits).tolist() == pytest.approx([1, 0, 0.5])


def test_of_a_model_in_batches_of_any_size(tmp_path):
    model = tuple(map(str, save_fine_tuned(tmp_path)))
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (side, side, 3), np.uint8) for side in [32] * 16 + [32, 64]]
    reads = [lambda image=image: image for image in images]
    doubts = measure_doubt(model, reads, {}, workers=2, device='cpu')
    segmenter = load_segmenter(*model, device='cpu', precision='float32')
    for number in (0, 16, 17):
        alone = mean_entropy(segmenter(np.ascontiguousarray(images[number][None, ..., ::-1])))
        assert doubts[number] == pytest.approx(alone[0], rel=1e-4)
    with pytest.raises(InputError, match=r'takes 3 band\(s\), the patches have 4'):
        measure_doubt(model, reads, {'bands': {'names': list('rgbn')}}, workers=1, device='cpu')
