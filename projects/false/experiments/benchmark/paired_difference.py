"""How much one method differs from another over pretraining seeds and label draws, and how sure that is.

The draws are shared: both methods were fine-tuned on the same lists of labelled patches, so draw d of one is compared
with draw d of the other. Pretraining seeds are not: seed 1 of one method has little in common with seed 1 of the other
but its number.
"""

from dataclasses import dataclass

import numpy as np
from scipy.stats import t as student

from projects.false.common.errors import InputError

REPLICATES = 10_000


@dataclass(frozen=True)
class Difference:
    """Mean of a method minus mean of another, with what can be said about its uncertainty.

    Attributes:
        mean: In the unit of the scores.
        low, high: Confidence interval; None where neither seeds nor draws were repeated.
        level: Confidence, such as 0.95.
        degrees: Degrees of freedom of the interval; None without one.
        covers: What was repeated and so is in the interval: ``'pretraining seeds'``, ``'label draws'``.
    """

    mean: float
    low: float | None
    high: float | None
    level: float
    degrees: float | None
    covers: tuple[str, ...]

    def clear(self) -> bool:
        """Whether the interval leaves 0 out; False without an interval."""
        return self.low is not None and (self.low > 0 or self.high < 0)


def paired_difference(
    method: np.ndarray, baseline: np.ndarray, level: float = 0.95, replicates: int = REPLICATES, seed: int = 0
) -> Difference:
    """Compare a method with a baseline.

    The standard error is that of :func:`bootstrap_differences`; the interval is ``mean ± t * standard error`` with
    Student's t at the degrees of freedom that Welch and Satterthwaite give for a sum of variances,

        v = (V_m + V_b + V_d)^2 / (V_m^2 / (S_m - 1) + V_b^2 / (S_b - 1) + V_d^2 / (D - 1)),

    V_m and V_b the variances of the mean over the seeds of either method (of each seed's mean over the draws), V_d that
    of the mean over the draws (of each draw's difference, its means over the seeds taken first). A part that was not
    repeated, S = 1 or D = 1, is left out, and so is its uncertainty: :attr:`Difference.covers` tells.

    What varies from run to run beyond seed and draw is in V_m + V_b as well as in V_d, so that it counts up to twice:
    where it rules, the interval is wider than need be, never narrower.

    Args:
        method: Scores of the method.
        baseline: Scores of the baseline on the same draws; it may have another number of seeds.
        level: Confidence, in (0, 1).
        replicates: Of the bootstrap.
        seed: Of the bootstrap.

    Shape:
        - method: (S_m, D), baseline: (S_b, D): a row for every seed, a column for every draw.

    Raises:
        InputError: The arrays do not fit together, hold a score that is not finite, or an argument is out of range.

    Example:
        >>> paired_difference(np.array([[50.0, 52], [51, 53]]), np.array([[48.0, 50], [48, 50]])).mean
        2.5
    """
    method, baseline = np.asarray(method, float), np.asarray(baseline, float)
    _check(method, baseline, level, replicates)
    parts = {'pretraining seeds': (_variance(method.mean(1)), len(method) - 1)}
    parts['seeds of the baseline'] = (_variance(baseline.mean(1)), len(baseline) - 1)
    parts['label draws'] = (_variance(method.mean(0) - baseline.mean(0)), method.shape[1] - 1)
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
        return Difference(mean, None, None, level, None, ())
    total = sum(variance for variance, _ in parts.values())
    spread = sum(variance**2 / degrees for variance, degrees in parts.values() if degrees)
    degrees = total**2 / spread if spread > 0 else float(min(number for _, number in parts.values() if number))
    error = bootstrap_differences(method, baseline, replicates, seed).std()
    reach = float(student.ppf((1 + level) / 2, degrees) * error)
    return Difference(mean, mean - reach, mean + reach, level, float(degrees), covers)


def bootstrap_differences(
    method: np.ndarray, baseline: np.ndarray, replicates: int = REPLICATES, seed: int = 0
) -> np.ndarray:
    """Hierarchical bootstrap of the difference of two means.

    Every replicate draws, with replacement, the seeds of the method, those of the baseline, and the label draws, once
    for both methods. It deviates from the mean by the sum of what the three move it, each widened by
    sqrt(n / (n - 1)) for n drawn things: a bootstrap sees their spread about their own mean, too small by that factor.

    Shape:
        - method: (S_m, D), baseline: (S_b, D); result: (replicates,)
    """
    generator = np.random.default_rng(seed)
    moved = _moves(method.mean(1), replicates, generator)
    moved = moved - _moves(baseline.mean(1), replicates, generator)
    moved = moved + _moves(method.mean(0) - baseline.mean(0), replicates, generator)
    return method.mean() - baseline.mean() + moved


def _moves(values: np.ndarray, replicates: int, generator: np.random.Generator) -> np.ndarray:
    """By how much the mean of n values moves when they are drawn anew; 0 for a single one."""
    count = len(values)
    if count == 1:
        return np.zeros(replicates)
    drawn = generator.multinomial(count, [1 / count] * count, replicates) / count
    return (drawn @ values - values.mean()) * np.sqrt(count / (count - 1))


def _variance(values: np.ndarray) -> float:
    """Variance of the mean of n values; 0 for a single one."""
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
