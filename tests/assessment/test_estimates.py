"""Estimates equal the published example and slow formulas; intervals hold the truth as often as they say."""

import numpy as np
import pytest

from projects.false.assessment.estimates import allocate, coarsely_sampled, estimate, half_width, interval
from projects.false.common.errors import InputError

# The worked example in section 5 of Olofsson et al. (2014): counts, pixels, accuracies and areas, as the check in the
# public package accuracyAssessmentTools (class Olofsson2014AccAssessment) repeats them from the paper.
CLASSES = ('deforestation', 'forest gain', 'stable forest', 'stable non-forest')
COUNTS = np.array([[66, 0, 5, 4], [0, 55, 8, 12], [1, 0, 153, 11], [2, 1, 9, 313]])
PIXELS = np.array([200_000, 150_000, 3_200_000, 6_450_000])
HECTARES = 0.09  # pixels of 30 m


def test_the_worked_example_of_the_paper():
    found = estimate(COUNTS, PIXELS, CLASSES)
    assert found.users.value.round(2).tolist() == [0.88, 0.73, 0.93, 0.96]
    assert half_width(found.users).round(2).tolist() == [0.07, 0.10, 0.04, 0.02]
    assert found.producers.value.round(2).tolist() == [0.75, 0.85, 0.93, 0.96]
    # The paper prints 0.23 for forest gain and 0.01 for stable non-forest; its equation 7 gives 0.25 and 0.02.
    assert half_width(found.producers).round(2).tolist() == [0.21, 0.25, 0.03, 0.02]
    assert (found.overall.value.round(2), half_width(found.overall).round(2)) == (0.95, 0.02)
    total = PIXELS.sum()
    assert (found.area.value * total * HECTARES).round().tolist() == [21_158, 11_686, 285_770, 581_386]
    reach = half_width(found.area) * total * HECTARES
    assert np.abs(reach - [6_158, 3_756, 15_510, 16_282]).max() < 1
    assert (found.area.value * total).round()[0] == 235_086
    assert found.area.error[0].round(4) == 0.0035


def slow_estimates(counts, pixels):
    """Equations 1 to 7 and 10 of the paper, one after the other."""
    count, weight, n = len(pixels), pixels / pixels.sum(), counts.sum(axis=1)
    p = [[weight[i] * counts[i, j] / n[i] for j in range(count)] for i in range(count)]
    users = [p[i][i] / weight[i] for i in range(count)]
    columns = [sum(p[i][j] for i in range(count)) for j in range(count)]
    producers = [p[j][j] / columns[j] for j in range(count)]
    v_overall = sum(weight[i] ** 2 * users[i] * (1 - users[i]) / (n[i] - 1) for i in range(count))
    v_users = [users[i] * (1 - users[i]) / (n[i] - 1) for i in range(count)]
    v_area = [sum((weight[i] * p[i][k] - p[i][k] ** 2) / (n[i] - 1) for i in range(count)) for k in range(count)]
    v_producers = []
    for j in range(count):
        own = pixels[j] ** 2 * (1 - producers[j]) ** 2 * users[j] * (1 - users[j]) / (n[j] - 1)
        others = sum(
            pixels[i] ** 2 * counts[i, j] / n[i] * (1 - counts[i, j] / n[i]) / (n[i] - 1)
            for i in range(count)
            if i != j
        )
        v_producers.append((own + producers[j] ** 2 * others) / (columns[j] * pixels.sum()) ** 2)
    values = sum(p[i][i] for i in range(count)), users, producers, columns
    return values, [np.sqrt(v) for v in (v_overall, v_users, v_producers, v_area)]


@pytest.mark.parametrize('seed', range(5))
def test_estimates_equal_the_formulas(seed):
    generator = np.random.default_rng(seed)
    counts = generator.integers(1, 40, (4, 4)) + 60 * np.eye(4, dtype=int)
    pixels = generator.integers(10_000, 1_000_000, 4)
    found = estimate(counts, pixels, CLASSES)
    values, errors = slow_estimates(counts, pixels)
    for measure, value, error in zip(
        (found.overall, found.users, found.producers, found.area), values, errors, strict=True
    ):
        np.testing.assert_allclose(measure.value, value, rtol=1e-12)
        np.testing.assert_allclose(measure.error, error, rtol=1e-9)


def test_intervals_hold_the_truth_as_often_as_they_say():
    generator = np.random.default_rng(3)
    truth = np.array([[0.03, 0.01, 0.01], [0.02, 0.55, 0.03], [0.005, 0.045, 0.30]])
    pixels = (truth.sum(axis=1) * 1e6).round().astype(int)
    right = {
        'area': truth.sum(axis=0),
        'users': truth.diagonal() / truth.sum(axis=1),
        'producers': truth.diagonal() / truth.sum(axis=0),
        'iou': truth.diagonal() / (truth.sum(axis=0) + truth.sum(axis=1) - truth.diagonal()),
    }
    hits = {name: np.zeros(3) for name in right}
    sums, draws = np.zeros(3), 400
    for _ in range(draws):
        counts = np.stack([generator.multinomial(500, row / row.sum()) for row in truth])
        found = estimate(counts, pixels, 'abc')
        sums += found.area.value
        for name, true in right.items():
            low, high = interval(getattr(found, name))
            hits[name] += (low <= true) & (true <= high)
    np.testing.assert_allclose(sums / draws, right['area'], rtol=0.02)
    assert all((np.abs(hit / draws - 0.95) < 0.035).all() for hit in hits.values()), hits


@pytest.mark.parametrize(
    ('places', 'coarse', 'missed'), [(150, [1, 2], (0.5, 0.65)), (300, [2], (0.1, 0.2)), (600, [], (0.02, 0.1))]
)
def test_with_few_places_intervals_of_rare_classes_are_too_narrow(places, coarse, missed):
    """A fiftieth of the map is water; `missed` bounds how often intervals of its area miss the truth."""
    generator = np.random.default_rng(0)
    confusion = np.array([[0.97, 0.02, 0.01], [0.08, 0.90, 0.02], [0.05, 0.05, 0.90]])
    pixels = np.array([900_000, 80_000, 20_000])
    truth = pixels @ confusion / pixels.sum()
    misses, named = np.zeros(3), np.zeros(3)
    for _ in range(300):
        drawn = zip(allocate(pixels, places), confusion, strict=True)
        found = estimate(np.stack([generator.multinomial(count, shares) for count, shares in drawn]), pixels, 'abc')
        low, high = interval(found.area)
        misses += (truth < low) | (high < truth)
        named[coarsely_sampled(found)] += 1
    assert missed[0] < misses[2] / 300 < missed[1]
    assert np.flatnonzero(named > 240).tolist() == coarse


def test_nothing_is_coarse_where_all_was_looked_at():
    counts = np.array([[3, 1], [0, 6]])
    assert coarsely_sampled(estimate(counts, counts.sum(axis=1), 'ab')) == []
    assert coarsely_sampled(estimate(counts, np.array([4_000, 6_000]), 'ab')) == [0, 1]


def test_a_complete_comparison_has_no_error():
    counts = np.array([[3, 1], [0, 6]])
    found = estimate(counts, counts.sum(axis=1), 'ab')
    assert found.area.value == pytest.approx([0.3, 0.7])
    assert found.overall.value == pytest.approx(0.9)
    assert not found.area.error.any()
    assert not found.producers.error.any()


def test_classes_without_pixels_or_without_truth():
    found = estimate(np.array([[8, 0, 2], [0, 0, 0], [5, 0, 5]]), np.array([1_000, 0, 1_000]), 'abc')
    assert found.area.value.tolist() == [0.65, 0, 0.35]
    assert np.isnan(found.users.value).tolist() == [False, True, False]
    assert np.isnan(found.producers.value).tolist() == [False, True, False]
    single = estimate(np.array([[1, 0], [1, 9]]), np.array([1, 1_000]), 'ab')  # a class of a single pixel
    assert single.users.error[0] == 0


def test_too_few_places_are_refused():
    with pytest.raises(InputError, match=r"class 'b' has 1 of the 2 places"):
        estimate(np.array([[5, 5], [0, 1]]), np.array([100, 100]), 'ab')
    with pytest.raises(InputError, match='--level must be in'):
        interval(estimate(COUNTS, PIXELS, CLASSES).area, 95)


def test_allocation():
    assert allocate(PIXELS, 641, 'olofsson', 75).tolist() == [75, 75, 163, 328]  # the paper rounds to 165 and 325
    assert allocate(PIXELS, 641, 'proportional').tolist() == [13, 10, 205, 413]
    assert allocate(PIXELS, 641, 'equal').tolist() == [161, 160, 160, 160]
    assert allocate(PIXELS, 100).tolist() == [25, 25, 25, 25]  # too few for 50 in each
    assert allocate(np.array([0, 1, 3, 100]), 50, 'equal').tolist() == [0, 1, 3, 46]  # no more than there are
    assert allocate(np.array([1, 5]), 6, 'proportional').tolist() == [1, 5]


@pytest.mark.parametrize(
    ('pixels', 'places', 'how', 'message'),
    [
        ([100, 100], 3, 'equal', 'the map has 2 classes; give at least 2 places for each'),
        ([3, 4], 8, 'equal', 'only 7 pixels can be checked'),
        ([0, 0], 8, 'equal', 'no pixel with a class'),
        ([9, 9], 8, 'optimal', 'give one of olofsson, proportional, equal'),
    ],
)
def test_allocations_that_cannot_be(pixels, places, how, message):
    with pytest.raises(InputError, match=message):
        allocate(np.array(pixels), places, how)
