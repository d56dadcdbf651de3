"""The difference of two methods over pretraining seeds and label draws, with a confidence interval.

Label draws are paired: both methods were fine-tuned on the same lists of labelled patches, so draw d of one is compared
with draw d of the other. Pretraining seeds are not paired: seed 1 of one method shares only its number with seed 1 of
the other. Nor are draws where the patches of a method are chosen instead of drawn.
"""

from dataclasses import dataclass

import numpy as np
from scipy.stats import t as student

from projects.false.common.errors import InputError

REPLICATES = 10_000


@dataclass(frozen=True)
class Difference:
    """Mean of a method minus mean of a baseline, with its uncertainty.

    Attributes:
        mean: The difference, in the unit of the scores.
        low: Lower end of the confidence interval; None if neither seeds nor draws were repeated.
        high: Upper end of the interval, or None.
        level: Confidence level, such as 0.95.
        degrees: Degrees of freedom of the interval, or None.
        covers: Sources of chance that were repeated, so that the interval covers them: ``'pretraining seeds'``,
            ``'label draws'``.
        paired: Draw d of the method was compared with draw d of the baseline.
        draws: Number of label draws.
    """

    mean: float
    low: float | None
    high: float | None
    level: float
    degrees: float | None
    covers: tuple[str, ...]
    paired: bool = True
    draws: int = 1

    def clear(self) -> bool:
        """Return True if the interval excludes 0, and False without an interval."""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)


def paired_difference(
    method: np.ndarray,
    baseline: np.ndarray,
    level: float = 0.95,
    replicates: int = REPLICATES,
    seed: int = 0,
    paired: bool = True,
) -> Difference:
    """Compare a method with a baseline.

    The standard error is that of :func:`bootstrap_differences`; the interval is ``mean ± t * standard error`` with
    Student's t at the degrees of freedom that Welch and Satterthwaite give for a sum of variances,

        v = (V_m + V_b + V_d)^2 / (V_m^2 / (S_m - 1) + V_b^2 / (S_b - 1) + V_d^2 / (D - 1)),

    where V_m and V_b are the variances of the mean over the seeds of either method (after averaging each seed over the
    draws), and V_d is the variance of the mean over the draws (of the difference per draw, after averaging over the
    seeds). Where the draws differ from the baseline's, V_d is the sum of two such variances, one per method, as in
    Welch's test. A part that was not repeated, S = 1 or D = 1, is left out together with its uncertainty;
    :attr:`Difference.covers` names the parts that are included.

    Variation between runs that neither seed nor draw explains enters both V_m + V_b and V_d, so it counts up to twice.
    Where it dominates, the interval is wider than necessary.

    With five draws the interval covers the true difference as often as it says, within a point. With fewer it may not:
    where the draws dominate but V_d comes out small by chance, v counts the degrees of freedom of the seeds, and t is
    too small. The more seeds, the worse: in simulations the 95 % interval of 2 draws covered the difference in 90 % of
    the cases with 3 seeds and in 88 % with 5; that of 3 draws in 94 % and 92 %. Use five draws.

    Args:
        method: Scores of the method.
        baseline: Scores of the baseline on as many draws; the number of seeds may differ.
        level: Confidence level, in (0, 1).
        replicates: Number of bootstrap replicates, at least 100.
        seed: Seed of the bootstrap.
        paired: Column d of both has the same labelled patches.

    Shape:
        - method: (S_m, D), baseline: (S_b, D): one row per seed, one column per draw.

    Raises:
        InputError: The arrays do not fit together or hold a score that is not finite, or an argument is out of range.

    Example:
        >>> paired_difference(np.array([[50.0, 52], [51, 53]]), np.array([[48.0, 50], [48, 50]])).mean
        2.5
    """
    method, baseline = np.asarray(method, float), np.asarray(baseline, float)
    _check(method, baseline, level, replicates)
    parts = {'pretraining seeds': (_variance(method.mean(1)), len(method) - 1)}
    parts['seeds of the baseline'] = (_variance(baseline.mean(1)), len(baseline) - 1)
    draws = _draws(method, baseline, paired)
    parts |= {f'label draws {number}': (_variance(values), len(values) - 1) for number, values in enumerate(draws)}
    mean = float(method.mean() - baseline.mean())
    covers = tuple(
        name
        for name, repeated in (
            ('pretraining seeds', len(method) > 1 and len(baseline) > 1),
            ('label draws', method.shape[1] > 1),
        )
        if repeated
    )
    if not any(degrees for _, degrees in parts.values()):
        return Difference(mean, None, None, level, None, (), paired, method.shape[1])
    total = sum(variance for variance, _ in parts.values())
    spread = sum(variance**2 / degrees for variance, degrees in parts.values() if degrees)
    degrees = total**2 / spread if spread > 0 else float(min(number for _, number in parts.values() if number))
    error = bootstrap_differences(method, baseline, replicates, seed, paired).std()
    reach = float(student.ppf((1 + level) / 2, degrees) * error)
    return Difference(mean, mean - reach, mean + reach, level, float(degrees), covers, paired, method.shape[1])


def bootstrap_differences(
    method: np.ndarray, baseline: np.ndarray, replicates: int = REPLICATES, seed: int = 0, paired: bool = True
) -> np.ndarray:
    """Bootstrap the difference of two means hierarchically.

    Every replicate draws with replacement: the seeds of the method, the seeds of the baseline, and the label draws,
    once for both methods if they are paired and separately otherwise. It deviates from the mean by the sum of their
    shifts. Each shift is scaled by sqrt(n / (n - 1)) for n drawn values, since a bootstrap sees their spread about
    their own mean, which is too small by that factor.

    Shape:
        - method: (S_m, D), baseline: (S_b, D); result: (replicates,)
    """
    generator = np.random.default_rng(seed)
    shift = _shifts(method.mean(1), replicates, generator)
    shift = shift - _shifts(baseline.mean(1), replicates, generator)
    for values in _draws(method, baseline, paired):
        shift = shift + _shifts(values, replicates, generator)
    return method.mean() - baseline.mean() + shift


def _draws(method: np.ndarray, baseline: np.ndarray, paired: bool) -> list[np.ndarray]:
    """Return the values that vary with the draws: the difference of the methods, or those of each method."""
    return [method.mean(0) - baseline.mean(0)] if paired else [method.mean(0), -baseline.mean(0)]


def _shifts(values: np.ndarray, replicates: int, generator: np.random.Generator) -> np.ndarray:
    """Shift of the mean of n values when they are drawn with replacement; 0 for a single value."""
    count = len(values)
    if count == 1:
        return np.zeros(replicates)
    drawn = generator.multinomial(count, [1 / count] * count, replicates) / count
    return (drawn @ values - values.mean()) * np.sqrt(count / (count - 1))


def _variance(values: np.ndarray) -> float:
    """Variance of the mean of n values; 0 for a single value."""
    return float(values.var(ddof=1) / len(values)) if len(values) > 1 else 0.0


def _check(method: np.ndarray, baseline: np.ndarray, level: float, replicates: int) -> None:
    shapes = f'scores of shape {method.shape} and {baseline.shape}'
    if method.ndim != 2 or baseline.ndim != 2 or not method.size or not baseline.size:
        raise InputError(f'{shapes}; give (seeds, draws) of both methods')
    if method.shape[1] != baseline.shape[1]:
        raise InputError(f'{shapes}; both methods need the same label draws')
    if not (np.isfinite(method).all() and np.isfinite(baseline).all()):
        raise InputError('a score is not finite; leave runs without a score out')
    if not 0 < level < 1:
        raise InputError(f'confidence level is {level}; give a number between 0 and 1, such as 0.95')
    if replicates < 100:
        raise InputError(f'{replicates} bootstrap replicates; give at least 100')
