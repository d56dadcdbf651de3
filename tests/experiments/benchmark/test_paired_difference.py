"""Intervals of made numbers whose true difference is known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import ttest_ind

from projects.false import InputError
from projects.false.experiments.benchmark.paired_difference import bootstrap_differences, paired_difference

SCORES = st.floats(0, 100, width=32)


def grid():
    return st.tuples(st.integers(1, 4), st.integers(1, 4), st.integers(1, 5)).flatmap(
        lambda size: st.tuples(
            arrays(float, (size[0], size[2]), elements=SCORES), arrays(float, (size[1], size[2]), elements=SCORES)
        )
    )


def made(generator, effect, seeds, draws, of_seed, of_draw, of_pair, of_run):
    """Two methods that differ by ``effect``; the spreads are standard deviations of every source of chance."""
    both = of_draw * generator.normal(size=draws)  # which patches are labelled moves both methods alike
    found = []
    for number, level in zip(seeds, (50 + effect, 50), strict=True):
        own = of_pair * generator.normal(size=draws)  # and each of them in a way of its own
        pretraining = of_seed * generator.normal(size=(number, 1))
        found.append(level + both + own + pretraining + of_run * generator.normal(size=(number, draws)))
    return found


@pytest.mark.parametrize(
    ('seeds', 'draws', 'spreads'),
    [
        ((3, 3), 5, (1, 5, 0, 0.1)),
        ((3, 3), 5, (0, 5, 1, 0.1)),
        ((3, 3), 5, (1, 5, 1, 1)),
        ((2, 2), 2, (1, 5, 1, 1)),
        ((1, 1), 5, (0, 5, 1, 1)),
        ((3, 3), 1, (1, 5, 0, 1)),
        ((4, 2), 3, (1, 5, 0.5, 0.5)),
    ],
)
def test_the_interval_holds_the_true_difference_as_often_as_it_says(seeds, draws, spreads):
    generator, trials = np.random.default_rng(0), 1500
    found = [
        paired_difference(*made(generator, 2.0, seeds, draws, *spreads), level=0.9, replicates=200)
        for _ in range(trials)
    ]
    held = np.mean([difference.low <= 2.0 <= difference.high for difference in found])
    assert 0.9 - 3 * np.sqrt(0.9 * 0.1 / trials) <= held  # never less than it says
    assert np.mean([difference.mean for difference in found]) == pytest.approx(2.0, abs=0.15)


@pytest.mark.parametrize(
    ('seeds', 'draws', 'covered'),
    [((5, 5), 2, 0.885), ((3, 3), 2, 0.9), ((5, 5), 3, 0.92), ((3, 3), 3, 0.94), ((5, 5), 5, 0.95), ((3, 3), 5, 0.95)],
)
def test_with_two_or_three_draws_that_dominate_it_covers_less_than_it_says(seeds, draws, covered):
    """The numbers of the docstring and of docs/experiments.md, for an interval of 95 %."""
    generator, trials = np.random.default_rng(0), 1500
    found = [
        paired_difference(*made(generator, 2.0, seeds, draws, 0.3, 5, 1, 0.05), replicates=200) for _ in range(trials)
    ]
    held = np.mean([difference.low <= 2.0 <= difference.high for difference in found])
    assert held == pytest.approx(covered, abs=3 * np.sqrt(covered * (1 - covered) / trials))


def test_patches_of_ones_own_are_compared_as_welch_does():
    generator = np.random.default_rng(2)
    method, baseline = 3 * generator.normal(size=(1, 5)) + 50, generator.normal(size=(1, 5)) + 48
    found = paired_difference(method, baseline, replicates=200_000, paired=False)
    expected = ttest_ind(method[0], baseline[0], equal_var=False).confidence_interval()
    assert (found.low, found.high) == pytest.approx(expected, rel=0.01)
    assert not found.paired
    assert found.covers == ('label draws',)
    shuffled = paired_difference(method, baseline[:, ::-1], replicates=200_000, paired=False)
    assert (shuffled.low, shuffled.high) == pytest.approx((found.low, found.high), rel=0.01)


def test_it_is_not_wider_than_needed_where_one_source_rules():
    generator, trials = np.random.default_rng(1), 1500
    for spreads in ((0, 5, 1, 0.01), (1, 5, 0, 0.01)):
        found = [paired_difference(*made(generator, 0, (5, 5), 5, *spreads), replicates=200) for _ in range(trials)]
        held = np.mean([difference.low <= 0 <= difference.high for difference in found])
        assert 0.93 <= held <= 0.97
        assert np.mean([difference.clear() for difference in found]) == pytest.approx(1 - held)


def test_pairing_takes_out_what_the_draws_do_to_both():
    generator = np.random.default_rng(2)
    method, baseline = made(generator, 1.0, (3, 3), 5, 0.1, 20, 0, 0.1)
    found = paired_difference(method, baseline)
    assert found.clear()
    assert found.high - found.low < 2
    shuffled = paired_difference(method, baseline[:, [1, 2, 3, 4, 0]])
    assert shuffled.high - shuffled.low > 10


@given(grid())
@settings(deadline=None, max_examples=60)
def test_replicates_have_the_variance_of_the_three_means(scores):
    """Against the textbook formula: the spread of n things about their mean, over n - 1, over n."""
    method, baseline = scores
    expected = 0.0
    for values in (method.mean(1), baseline.mean(1), method.mean(0) - baseline.mean(0)):
        if len(values) > 1:
            expected += (
                sum((value - sum(values) / len(values)) ** 2 for value in values) / (len(values) - 1) / len(values)
            )
    replicates = bootstrap_differences(method, baseline, 20_000)
    assert replicates.std() == pytest.approx(np.sqrt(expected), rel=0.03, abs=1e-9)
    assert replicates.mean() == pytest.approx(method.mean() - baseline.mean(), abs=0.05 * np.sqrt(expected) + 1e-9)


@given(grid(), st.floats(-20, 20))
@settings(deadline=None, max_examples=60)
def test_symmetries(scores, shift):
    method, baseline = scores
    found = paired_difference(method, baseline, replicates=500)
    assert found.mean == pytest.approx(method.mean() - baseline.mean())
    if found.low is None:
        assert method.shape == baseline.shape == (1, 1)
        assert found.covers == ()
        return
    assert found.low <= found.mean <= found.high
    moved = paired_difference(method + shift, baseline, replicates=500)
    assert [moved.low, moved.high] == pytest.approx([found.low + shift, found.high + shift], abs=1e-6)
    wider = paired_difference(method, baseline, level=0.99, replicates=500)
    assert wider.high - wider.low >= found.high - found.low
    swapped = paired_difference(baseline, method, replicates=20_000)
    wide = paired_difference(method, baseline, replicates=20_000)
    assert swapped.high == pytest.approx(-wide.low, rel=0.05, abs=0.05 * (wide.high - wide.low) + 1e-6)


@pytest.mark.parametrize(
    ('seeds', 'draws', 'covers'),
    [
        ((1, 1), 3, ('label draws',)),
        ((2, 2), 1, ('pretraining seeds',)),
        ((2, 2), 2, ('pretraining seeds', 'label draws')),
        ((2, 1), 2, ('label draws',)),
    ],
)
def test_it_says_what_it_covers(seeds, draws, covers):
    generator = np.random.default_rng(3)
    assert paired_difference(*made(generator, 1, seeds, draws, 1, 1, 1, 1)).covers == covers


def test_equal_runs_give_an_interval_of_no_width():
    found = paired_difference(np.full((2, 2), 51.0), np.full((2, 2), 50.0))
    assert (found.mean, found.low, found.high) == (1, 1, 1)


@pytest.mark.parametrize(
    ('method', 'baseline', 'settings', 'text'),
    [
        (np.zeros((2, 2)), np.zeros((2, 3)), {}, 'the same label draws'),
        (np.zeros(2), np.zeros(2), {}, r'give \(seeds, draws\)'),
        (np.zeros((0, 2)), np.zeros((0, 2)), {}, r'give \(seeds, draws\)'),
        (np.full((1, 2), np.nan), np.zeros((1, 2)), {}, 'not finite'),
        (np.zeros((1, 2)), np.zeros((1, 2)), {'level': 1.0}, 'level is 1.0'),
        (np.zeros((1, 2)), np.zeros((1, 2)), {'replicates': 1}, 'at least 100'),
    ],
)
def test_bad_input(method, baseline, settings, text):
    with pytest.raises(InputError, match=text):
        paired_difference(method, baseline, **settings)
