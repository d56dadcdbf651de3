"""Estimate areas and accuracies of a map from a stratified random sample, after Olofsson et al. (2014).

Counting the pixels of a class in a map repeats the map's own errors. A sample of places whose true class is known says
how often the map errs, and corrects the areas by it. The strata are the classes of the map.

Paper: Good practices for estimating area and assessing accuracy of land change, https://doi.org/10.1016/j.rse.2014.02.015
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.stats import norm

from projects.false.common.errors import InputError, check_range

ALLOCATIONS = ('olofsson', 'proportional', 'equal')
LEAST = 50  # places in a rare class; the paper advises 50 to 100
COARSE = 0.1  # share of a class that one place may stand for


class Measure(NamedTuple):
    """A measure of every class, or of the whole map.

    Args:
        value: The estimates, in [0, 1]; NaN where the sample says nothing.
        error: Their standard errors.

    Shape:
        - value, error: (classes,), or () for the whole map
    """

    value: np.ndarray
    error: np.ndarray


class Estimates(NamedTuple):
    """Estimates of a map from a sample.

    Args:
        counts: Places by class of the map (rows) and true class (columns).
        population: Pixels of the map per class.
        overall: Share of the area that the map has right.
        area: True share of the area per class.
        users: User's accuracy: share of what is mapped as a class that is that class.
        producers: Producer's accuracy: share of a class that is mapped as such.
        iou: Intersection over union of a class in the map and in truth, by area.

    Shape:
        - counts: (classes, classes); population: (classes,)
    """

    counts: np.ndarray
    population: np.ndarray
    overall: Measure
    area: Measure
    users: Measure
    producers: Measure
    iou: Measure

    @property
    def mapped(self) -> np.ndarray:
        """Share of the area that the map gives to each class, (classes,)."""
        return self.population / self.population.sum()


def estimate(counts: np.ndarray, population: np.ndarray, classes: Sequence[str]) -> Estimates:
    r"""Estimate areas and accuracies with their standard errors.

    With :math:`W_i` the share of the map that is class i, and :math:`n_{ij}` of :math:`n_{i\cdot}` places in it truly
    class j, the share of the area that is mapped as i and truly j is :math:`\hat p_{ij} = W_i n_{ij} / n_{i\cdot}`
    (equation 4). Every measure is a ratio of sums of these, :math:`\hat R = \hat Y / \hat X`, with the variance

    .. math:: \hat V(\hat R) = \frac{1}{\hat X^2} \sum_i \frac{W_i^2}{n_{i\cdot}} s_i^2(y - \hat R x),

    which is equation 5 for the overall accuracy, 6 for user's, 7 for producer's and 10 for areas. A stratum in which
    every pixel was looked at adds no variance.

    Args:
        counts: Places by class of the map (rows) and true class (columns).
        population: Pixels of the map per class.
        classes: Names of the classes, for messages.

    Shape:
        - counts: (classes, classes); population: (classes,)

    Raises:
        InputError: A class of the map has fewer than two places, so that no error can be estimated.

    Example:
        >>> found = estimate(np.array([[45, 5], [10, 90]]), np.array([2_000, 8_000]), ['water', 'land'])
        >>> found.area.value.round(2).tolist()
        [0.26, 0.74]
    """
    sampled = counts.sum(axis=1)
    for name, places, pixels in zip(classes, sampled, population, strict=True):
        if places < min(2, pixels):
            raise InputError(
                f'class {name!r} has {places} of the 2 places that its error takes; fill in more of its places, or '
                'sample again'
            )
    count = len(classes)
    overall = _ratio(counts, population, np.eye(count), np.ones((count, count)))
    by_class = []
    for index in range(count):
        mapped, true = np.zeros((count, count)), np.zeros((count, count))
        mapped[index], true[:, index] = 1, 1
        both, everything = mapped * true, np.ones((count, count))
        pairs = ((true, everything), (both, mapped), (both, true), (both, np.maximum(mapped, true)))
        by_class.append([_ratio(counts, population, y, x) for y, x in pairs])
    columns = np.array([[tuple(measure) for measure in row] for row in by_class])
    area, users, producers, iou = (Measure(columns[:, kind, 0], columns[:, kind, 1]) for kind in range(4))
    return Estimates(counts, population, overall, area, users, producers, iou)


def _ratio(counts: np.ndarray, population: np.ndarray, y: np.ndarray, x: np.ndarray) -> Measure:
    """Estimate the ratio of two totals over the map; ``y`` and ``x`` are values per class of the map and true class."""
    sampled = counts.sum(axis=1)
    used = sampled > 0
    counts, sampled, population = counts[used], sampled[used], population[used]
    weight = population / population.sum()
    shares = counts / sampled[:, None]
    total = (weight * (shares * x[used]).sum(axis=1)).sum()
    if not total:
        return Measure(np.array(np.nan), np.array(np.nan))
    value = (weight * (shares * y[used]).sum(axis=1)).sum() / total
    difference = y[used] - value * x[used]
    mean = (shares * difference).sum(axis=1)
    squares = (counts * (difference - mean[:, None]) ** 2).sum(axis=1)
    spread = np.divide(squares, sampled - 1, out=np.zeros(len(sampled)), where=sampled > 1)
    variance = np.where(sampled < population, weight**2 * spread / sampled, 0).sum() / total**2
    return Measure(value, np.sqrt(variance))


def interval(measure: Measure, level: float = 0.95) -> np.ndarray:
    """Return the normal confidence interval of a measure, cut off at 0 and 1.

    Args:
        measure: Values and standard errors.
        level: Share of samples whose interval holds the truth, in (0, 1).

    Shape:
        - result: (2, ...): lower and upper end
    """
    reach = half_width(measure, level)
    return np.stack([measure.value - reach, measure.value + reach]).clip(0, 1)


def half_width(measure: Measure, level: float = 0.95) -> np.ndarray:
    """Return the half-width of an interval, the number after "plus or minus"; arguments as for :func:`interval`.

    Raises:
        InputError: The level is not between 0.5 and 0.9999.
    """
    check_range('--level', level, 0.5, 0.9999)
    return norm.ppf((1 + level) / 2) * measure.error


def coarsely_sampled(found: Estimates) -> list[int]:
    """Return the classes of which a single place of another class of the map may stand for more than a tenth.

    Whether one such place more or less is truly of the class decides about its area then. Normal intervals are too
    narrow, and ± 0 where no place happens to be.
    """
    sampled = found.counts.sum(axis=1)
    place = np.divide(
        found.mapped, sampled, out=np.zeros(len(sampled)), where=(sampled > 0) & (sampled < found.population)
    )
    there = (found.population > 0) | found.counts.any(axis=0)
    others = [np.delete(place, index).max(initial=0) for index in range(len(place))]
    return np.flatnonzero(there & (np.array(others) > COARSE * found.area.value)).tolist()


def allocate(population: np.ndarray, places: int, how: str = 'olofsson', least: int = LEAST) -> np.ndarray:
    """Divide a number of places among the classes of a map.

    Args:
        population: Pixels of the map per class.
        places: Number of places.
        how: ``'proportional'`` to the area, which is good for the overall accuracy. ``'equal'`` per class, which is
            good for user's accuracies. ``'olofsson'``, as section 5.1 of the paper advises: ``least`` for the rare
            classes, the rest in proportion to the area.
        least: Places in a rare class for ``'olofsson'``; fewer if there are not enough for all classes.

    Shape:
        - population, result: (classes,)

    Raises:
        InputError: There are fewer than two places per class of the map, or more than pixels.

    Example:
        >>> allocate(np.array([200_000, 150_000, 3_200_000, 6_450_000]), 641, least=75).tolist()
        [75, 75, 163, 328]
    """
    present = int((population > 0).sum())
    if how not in ALLOCATIONS:
        raise InputError(f'--allocation {how}: give one of {", ".join(ALLOCATIONS)}')
    if not present:
        raise InputError('the map has no pixel with a class; there is nothing to check')
    if places < 2 * present:
        raise InputError(f'--sample {places}: the map has {present} classes; give at least 2 places for each')
    if places > population.sum():
        raise InputError(f'--sample {places}: only {population.sum()} pixels can be checked; give fewer')
    low = np.minimum(population, max(2, min(least, places // present)) if how == 'olofsson' else 2)
    share = (population > 0).astype(float) if how == 'equal' else population.astype(float)
    quota, free = np.zeros(len(population)), population > 0
    while free.any():
        quota[free] = (places - quota[~free].sum()) * share[free] / share[free].sum()
        below, above = free & (quota < low), free & (quota > population)
        fixed = below if below.any() else above
        quota[fixed] = (low if below.any() else population)[fixed]
        free &= ~fixed
        if not fixed.any():
            break
    whole = np.floor(quota).astype(np.int64)
    order = np.argsort(whole - quota, kind='stable')  # largest remainder first
    whole[order[: places - whole.sum()]] += 1
    return whole
