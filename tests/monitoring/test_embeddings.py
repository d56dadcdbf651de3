import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from projects.false.monitoring.embeddings import (
    EmbeddingMeasures,
    alignment,
    collapse_signs,
    effective_rank,
    measure,
    relative_std,
    uniformity,
)


def rows(count, length, seed=0):
    made = torch.randn(count, length, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return torch.nn.functional.normalize(made, dim=1)


def test_alignment_and_uniformity_equal_loops_over_the_papers_definitions():
    first, second = rows(7, 5), rows(7, 5, seed=1)
    distances = [
        sum((float(a) - float(b)) ** 2 for a, b in zip(*pair, strict=True)) for pair in zip(first, second, strict=True)
    ]
    assert alignment(first, second) == pytest.approx(sum(distances) / 7)
    kernels = [
        math.exp(-2 * sum((float(a) - float(b)) ** 2 for a, b in zip(first[i], first[j], strict=True)))
        for i in range(7)
        for j in range(i + 1, 7)
    ]
    assert uniformity(first) == pytest.approx(math.log(sum(kernels) / len(kernels)))


def test_effective_rank_of_known_spectra():
    assert effective_rank(torch.eye(6)[:4]) == pytest.approx(4)
    assert effective_rank(torch.ones(9, 5)) == pytest.approx(1)
    p = torch.tensor([3.0, 1.0]) / 4
    assert effective_rank(torch.diag(torch.tensor([3.0, 1.0]))) == pytest.approx(float(torch.exp(-(p * p.log()).sum())))


@settings(max_examples=20, deadline=None)
@given(st.integers(2, 12), st.integers(1, 9), st.integers(0, 99))
def test_nothing_changes_when_the_space_is_rotated_and_bounds_hold(count, length, seed):
    found = rows(count, length, seed)
    turn = torch.linalg.qr(rows(length, length, seed + 1))[0]
    assert 1 - 1e-9 <= effective_rank(found) <= min(count, length) + 1e-9
    assert effective_rank(found @ turn) == pytest.approx(effective_rank(found))
    assert uniformity(found @ turn) == pytest.approx(uniformity(found), abs=1e-9)
    assert -8 <= uniformity(found) <= 1e-9


def test_even_spread_and_collapse():
    even = measure(torch.randn(1000, 64), torch.randn(1000, 64))
    assert even.std == pytest.approx(1, abs=0.02)
    assert even.alignment == pytest.approx(2, abs=0.05)
    assert even.uniformity == pytest.approx(-4 + 8 / 64, abs=0.05)
    assert even.rank > 55
    equal = measure(torch.ones(10, 64, dtype=torch.bfloat16) * 3, torch.ones(10, 64))
    assert equal == pytest.approx((0, 0, 1, 0, 0), abs=1e-4)


def test_a_dead_dimension_shows_in_the_least_deviation():
    views = torch.randn(100, 8)
    views[:, 3] = 0
    assert measure(views, views).std_least == 0
    assert float(relative_std(rows(100, 8).float()).min()) > 0.5


@pytest.mark.parametrize(
    ('std', 'rank', 'signs'),
    [(0.5, 9, 0), (0.05, 9, 1), (0.5, 1.5, 1), (0.05, 1.5, 2), (float('nan'), 9, 1), (0.1, 2, 0)],
)
def test_signs_of_collapse(std, rank, signs):
    found = collapse_signs(EmbeddingMeasures(std, 0, rank, 1, -1), least_std=0.1, least_rank=2)
    assert len(found) == signs


@pytest.mark.parametrize('value', [math.nan, math.inf])
@pytest.mark.parametrize('dtype', [torch.float32, torch.bfloat16])
def test_values_that_are_not_finite_are_signs_of_collapse(value, dtype):
    views = torch.randn(6, 4).to(dtype)
    views[2, 1] = value
    assert math.isnan(effective_rank(views))
    measures = measure(views, torch.randn(6, 4))
    assert all(map(math.isnan, measures))
    signs = collapse_signs(measures, least_std=0.1, least_rank=2)
    assert signs == ['standard deviation nan of an even spread, below 0.1', 'effective rank nan, below 2']
