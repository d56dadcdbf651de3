import math

import numpy as np
import pytest
import torch

from projects.false.pair_audit.judge import Examples, PairCounts, estimate_quality
from projects.false.pair_audit.picks import cosines, histogram_overlap, negatives, true_pairs
from tests.helpers.made_pairs import made_comparison


def test_examples_are_picked_pairs_right_and_wrong_and_none_twice():
    found, generator = Examples(6, torch.Generator().manual_seed(0)), torch.Generator().manual_seed(1)
    allowed = {}
    for seed in range(4):
        audited = made_comparison(seed=seed)
        labels = audited.row_classes, audited.column_classes
        same, overlaps = true_pairs(*labels, 0.8)['dominant'], histogram_overlap(*labels)
        picks = negatives(audited.comparison) & (torch.rand(same.shape, generator=generator) < 0.1)
        found.add(audited, picks, same, cosines(audited.comparison), overlaps)
        for row, column in picks.nonzero().tolist():
            key = (*_key(audited.rows[row]), *_key(audited.columns[column]))
            allowed[key] = bool(same[row, column]), float(overlaps[row, column])
    for right in (True, False):
        kept = found.kept(right)
        assert len(kept) == 6
        assert len({frozenset((_key(e.anchor), _key(e.other))) for e in kept}) == 6
        assert len({e.anchor[0].seed[0] for e in kept}) > 1  # not all of one batch
        for example in kept:
            assert allowed[(*_key(example.anchor), *_key(example.other))] == (right, example.overlap)


def _key(view):
    return view[0].seed, view[1]


def test_ratios_of_known_counts():
    found = estimate_quality([PairCounts(100, 20, 10, 8, 3, 9), PairCounts(100, 30, 10, 4, 0, 9)])
    assert found.precision.value == pytest.approx(12 / 20)
    assert found.recall.value == pytest.approx(12 / 50)
    assert found.base_rate.value == pytest.approx(50 / 200)
    assert found.lift.value == pytest.approx((12 / 20) / (50 / 200))
    assert found.precision.low == pytest.approx(0.4)  # twice the one batch, or twice the other
    assert found.precision.high == pytest.approx(0.8)


def test_what_has_no_meaning_is_not_a_number():
    found = estimate_quality([PairCounts(50, 10, 0, 0, 5, 9)] * 3)
    assert all(math.isnan(value) for value in (*found.precision, *found.lift))
    assert found.recall == (0, 0, 0)
    assert all(math.isnan(value) for value in estimate_quality([PairCounts(0, 0, 0, 0, 5, 9)]).base_rate)


def test_the_interval_covers_the_truth_as_often_as_it_says():
    generator, hits = np.random.default_rng(3), 0
    for trial in range(200):
        right = generator.binomial(40, 0.3, 30)
        found = estimate_quality([PairCounts(1000, 100, 40, int(k), 0, 9) for k in right], seed=trial, draws=400)
        hits += found.precision.low <= 0.3 <= found.precision.high
    assert 0.88 <= hits / 200 <= 0.99
