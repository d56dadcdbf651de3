"""The blender gives the same result as sums over the whole image."""

import numpy as np
import pytest
import torch

from projects.false.mapping.blending import Blender
from projects.false.mapping.windows import WindowPlan

SIZES = [(40, 50), (16, 16), (17, 90), (90, 33), (7, 5), (16, 3)]


def whole(plan, logits):
    """Return the weighted mean of the logits per pixel, (classes, H, W), in float64."""
    weight = np.outer(plan.profile(), plan.profile()).astype(np.float64)
    height, width = max(plan.height, plan.window), max(plan.width, plan.window)
    total, weights = np.zeros((logits.shape[2], height, width)), np.zeros((height, width))
    for i, row in enumerate(plan.rows):
        for j, column in enumerate(plan.columns):
            part = np.s_[..., row : row + plan.window, column : column + plan.window]
            total[part] += weight * logits[i, j].double().numpy()
            weights[part] += weight
    return (total / weights)[:, : plan.height, : plan.width]


def blend(plan, logits, group):
    """Stack all strips; ``group`` windows of a row are added at a time."""
    blender, strips = Blender(plan, logits.shape[2], 'cpu', confidence=True), []
    for row in range(len(plan.rows)):
        for first in range(0, len(plan.columns), group):
            columns = list(range(len(plan.columns)))[first : first + group]
            strips += blender.add(row, columns, logits[row, columns])
    strips += blender.finish()
    return [torch.cat([strip[layer] for strip in strips]).numpy() for layer in (0, 1)]


@pytest.mark.parametrize('group', [1, 3, 100])
@pytest.mark.parametrize('overlap', [0, 0.3, 0.5, 0.9])
@pytest.mark.parametrize('size', SIZES)
def test_strips_are_the_whole_image(size, overlap, group):
    for name in ('smooth', 'uniform'):
        plan = WindowPlan(*size, 16, overlap, name)
        logits = torch.randn(len(plan.rows), len(plan.columns), 4, 16, 16, generator=torch.Generator().manual_seed(0))
        classes, confidence = blend(plan, logits, group)
        mean = whole(plan, logits)
        assert classes.shape == confidence.shape == size
        clear = np.diff(np.sort(mean, axis=0)[-2:], axis=0)[0] > 1e-5
        assert clear.mean() > 0.99
        assert (classes == mean.argmax(0))[clear].all()
        share = np.exp(mean - mean.max(0))
        assert np.abs(confidence - 100 / share.sum(0)).max() < 0.501


def test_windows_may_be_left_out():
    plan = WindowPlan(48, 64, 16, 0.5)
    logits = torch.randn(len(plan.rows), len(plan.columns), 3, 16, 16)
    expected = blend(plan, logits, 100)[0]
    blender, strips = Blender(plan, 3, 'cpu'), []
    for row in (0, 2, 3):  # of 0 to 4
        columns = [0, 1, 4, 5] if row == 0 else list(range(len(plan.columns)))
        strips += blender.add(row, columns, logits[row, columns])
    strips += blender.finish()
    classes = torch.cat([strip.classes for strip in strips]).numpy()
    assert classes.shape == (48, 64)
    assert (classes[:8, :16] == expected[:8, :16]).all()  # only of windows that were added
    assert (classes[:8, 40:48] == expected[:8, 40:48]).all()
    assert (classes[24:32] == expected[24:32]).all()


@pytest.mark.parametrize('overlap', [0, 0.3, 0.9])
def test_bands_make_the_same_sums_bit_by_bit(overlap):
    plan = WindowPlan(40, 110, 16, overlap, band=32)
    logits = torch.randn(len(plan.rows), len(plan.columns), 4, 16, 16, generator=torch.Generator().manual_seed(0))
    expected, parts, seams = blend(plan, logits, 3), [], None
    assert len(plan.bands) >= 3
    for band in plan.bands:
        blender = Blender(plan, 4, 'cpu', True, band, seams and [seam.numpy() for seam in seams].__getitem__)
        strips = []
        for row in range(len(plan.rows)):
            columns = list(range(band.first, band.stop))
            strips += blender.add(row, columns, logits[row, columns])
        strips += blender.finish()
        seams = [strip.seam for strip in strips] if band.seam else None
        parts.append([torch.cat([strip[layer] for strip in strips]).numpy() for layer in (0, 1)])
    for whole_layer, layers in zip(expected, zip(*parts, strict=True), strict=True):
        assert (np.concatenate(layers, axis=1) == whole_layer).all()


def test_buffers_do_not_depend_on_the_size_of_the_image():
    sizes = set()
    for height, width in ((64, 2_000), (64, 50_000), (50_000, 2_000), (20_000, 20_000)):
        plan = WindowPlan(height, width, 32, 0.5, band=2_000)
        blender = Blender(plan, 4, 'cpu', True, plan.bands[0])
        tensors = [value for value in vars(blender).values() if isinstance(value, torch.Tensor)]
        per_side = [blender._row_sums, blender._column_sums]  # one number per row and per column
        sizes.add(sum(t.numel() for t in tensors if not any(t is side for side in per_side)) // 1_000)
        assert sum(side.numel() for side in per_side) == height + width
    assert max(sizes) == pytest.approx(min(sizes), rel=0.05)
