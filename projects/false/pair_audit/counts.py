"""Counts of picked pairs, batch by batch, and what they say: precision, recall and lift with their uncertainty."""

from typing import NamedTuple

import numpy as np


class PairCounts(NamedTuple):
    """Pairs of one batch, of one rule by one criterion; a pair is an anchor and a negative, both labelled.

    Attributes:
        pairs: All pairs.
        true: Those that share their land cover.
        picked: Those that the rule picks.
        right: Those that it picks and that share their land cover.
        unlabelled: Pairs that it picks of which a view has no label; in none of the others.
        anchors: Anchors of the batch.
    """

    pairs: int
    true: int
    picked: int
    right: int
    unlabelled: int
    anchors: int


class Estimate(NamedTuple):
    """A value and the interval that holds 95 % of its bootstrap; NaN where it has no meaning."""

    value: float
    low: float
    high: float


class Quality(NamedTuple):
    """How good picks are.

    Attributes:
        precision: Share of the picked pairs that share their land cover, in [0, 1].
        recall: Share of the pairs that share their land cover that are picked, in [0, 1].
        base_rate: Share of all pairs that share their land cover: the precision of chance.
        lift: Precision divided by base rate; 1 is chance.
    """

    precision: Estimate
    recall: Estimate
    base_rate: Estimate
    lift: Estimate


def ratios(counts: np.ndarray) -> np.ndarray:
    """Precision, recall, base rate and lift of summed counts.

    Shape:
        - counts: (..., 4), pairs, true, picked and right; result: (4, ...), NaN where the denominator is 0.
    """
    pairs, true, picks, right = np.moveaxis(counts.astype(float), -1, 0)
    with np.errstate(divide='ignore', invalid='ignore'):
        precision, base_rate = right / picks, true / pairs
        return np.array([precision, right / true, base_rate, precision / base_rate])


def quality(batches: list[PairCounts], seed: int = 0, draws: int = 2000) -> Quality:
    """Estimate from the batches, whose uncertainty comes from drawing batches with replacement.

    Args:
        batches: At least one. With one, the interval is the value itself.
        seed: Of the draws.
        draws: Bootstrap samples.
    """
    counts = np.array([batch[:4] for batch in batches], np.int64)
    values = ratios(counts.sum(0))
    weights = np.random.default_rng(seed).multinomial(len(batches), np.full(len(batches), 1 / len(batches)), draws)
    drawn = ratios(weights @ counts)
    found = []
    for value, sample in zip(values, drawn, strict=True):
        sample = sample[np.isfinite(sample)]
        low, high = np.percentile(sample, (2.5, 97.5)) if len(sample) and np.isfinite(value) else (np.nan, np.nan)
        found.append(Estimate(float(value), float(low), float(high)))
    return Quality(*found)
