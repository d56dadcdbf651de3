from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from projects.false.mapping.windows import WindowPlan

PLANS = [WindowPlan(100, 70, 32, overlap, blend) for overlap in (0, 0.25, 0.5, 0.9) for blend in ('smooth', 'uniform')]


@pytest.mark.parametrize('plan', PLANS)
def test_every_pixel_is_covered_by_no_more_windows_than_needed(plan):
    for firsts, length in ((plan.rows, 100), (plan.columns, 70)):
        covered = np.zeros(length, int)
        for first in firsts:
            assert 0 <= first <= length - 32
            covered[first : first + 32] += 1
        assert covered.min() >= 1
        steps = np.diff(firsts)
        assert (steps[:-1] == plan.stride).all()
        assert 0 < steps[-1] <= plan.stride
        assert len(firsts) == 1 + -(-(length - 32) // plan.stride)  # as many as mmseg's slide mode


@pytest.mark.parametrize('plan', PLANS)
def test_finished_rows_are_all_rows_once(plan):
    assert sum(plan.finished_rows(row) for row in range(len(plan.rows))) == 100


def test_an_image_smaller_than_the_window_has_one():
    plan = WindowPlan(5, 1000, 32, 0)
    assert plan.rows == (0,)
    assert plan.finished_rows(0) == 5


def test_smooth_weights_of_neighbours_add_up_to_one():
    plan = WindowPlan(32, 1000, 32, 0.25)
    weight = plan.profile()
    np.testing.assert_allclose(weight[:8] + weight[-8:], 1, atol=1e-6)
    assert (weight[8:24] == 1).all()
    assert weight.min() > 0
    _, sums = plan.weight_sums()
    np.testing.assert_allclose(sums[8:900], 1, atol=1e-6)


def test_uniform_weights_count_windows():
    rows, columns = WindowPlan(32, 64, 32, 0.5, 'uniform').weight_sums()
    assert rows.tolist() == [1] * 32
    assert columns.tolist() == [1] * 16 + [2] * 32 + [1] * 16


@pytest.mark.parametrize('band', [1, 40, 64, 2048])
@pytest.mark.parametrize('plan', PLANS)
def test_bands_are_all_windows_and_all_columns_once(plan, band):
    plan = replace(plan, width=701, band=band)
    bands = plan.bands
    assert [number for band in bands for number in range(band.first, band.stop)] == list(range(len(plan.columns)))
    assert [(band.left, band.right) for band in bands] == list(pairwise([0, *(band.right for band in bands)]))
    assert bands[-1].right == bands[-1].reach == 701
    assert all(band.right <= band.reach < following.reach for band, following in pairwise(bands))
    assert max(each.right - each.left for each in bands) <= max(band, plan.stride) + 32
    assert (len(bands) == 1) == (band >= 701)
