import math

import numpy as np
import pytest

from projects.false.pair_audit.judge import PairCounts, quality


def test_ratios_of_known_counts():
    found = quality([PairCounts(100, 20, 10, 8, 3, 9), PairCounts(100, 30, 10, 4, 0, 9)])
    assert found.precision.value == pytest.approx(12 / 20)
    assert found.recall.value == pytest.approx(12 / 50)
    assert found.base_rate.value == pytest.approx(50 / 200)
    assert found.lift.value == pytest.approx((12 / 20) / (50 / 200))
    assert found.precision.low == pytest.approx(0.4)  # twice the one batch, or twice the other
    assert found.precision.high == pytest.approx(0.8)


def test_what_has_no_meaning_is_not_a_number():
    found = quality([PairCounts(50, 10, 0, 0, 5, 9)] * 3)
    assert all(math.isnan(value) for value in (*found.precision, *found.lift))
    assert found.recall == (0, 0, 0)
    assert all(math.isnan(value) for value in quality([PairCounts(0, 0, 0, 0, 5, 9)]).base_rate)


def test_the_interval_covers_the_truth_as_often_as_it_says():
    generator, hits = np.random.default_rng(3), 0
    for trial in range(200):
        right = generator.binomial(40, 0.3, 30)
        found = quality([PairCounts(1000, 100, 40, int(k), 0, 9) for k in right], seed=trial, draws=400)
        hits += found.precision.low <= 0.3 <= found.precision.high
    assert 0.88 <= hits / 200 <= 0.99
