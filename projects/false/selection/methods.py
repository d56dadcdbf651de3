"""Rules that choose patches from their features: typical, covering, and far from one another."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from projects.false.common.threads import show_progress

from .clusters import Features, blocks, cluster

# TypiClust
MOST_CLUSTERS = 500
SMALL = 5  # clusters of fewer patches, or than half the mean size, are taken for outliers
NEIGHBOURS = 20
SAMPLE = 4096  # patches of a cluster among which neighbours are sought
# ProbCover
PURITY = 0.95
POOL = 16384  # patches that are covered; more are represented by a sample
_ROWS = 1024  # rows of a block of distances


class Choice(NamedTuple):
    """What a rule chose.

    Args:
        rows: The chosen patches, in the order of choice.
        facts: Plain values that describe the choice, for the record.
    """

    rows: list[int]
    facts: dict[str, Any]


def typical(features: Features, kept: int, count: int, seed: int) -> Choice:
    """Choose the patch in the densest place of each cluster (TypiClust, https://arxiv.org/abs/2202.02794).

    There are as many clusters as there will be labelled patches, at most :data:`MOST_CLUSTERS`. Clusters without a
    kept patch come first, the largest first. In each, the patch with the smallest mean distance to its
    :data:`NEIGHBOURS` nearest neighbours is taken. Clusters of fewer than :data:`SMALL` patches are outliers and come
    last. If clusters are small overall, outliers are those of less than half the mean size.

    Args:
        features: Features of all patches, of length 1.
        kept: The last so many patches are labelled already.
        count: Number of patches to choose.
        seed: Seed of the clusters.

    Shape:
        - features: (n, D)
    """
    total, first_kept = len(features), len(features) - kept
    labels = cluster(features, min(count + kept, MOST_CLUSTERS, total), seed)
    order = np.argsort(labels, kind='stable')
    numbers, starts = np.unique(labels[order], return_index=True)
    members = dict(zip(numbers.tolist(), np.split(order, starts[1:]), strict=True))
    labelled = {number: int((rows >= first_kept).sum()) for number, rows in members.items()}
    waiting = {number: len(rows) - labelled[number] for number, rows in members.items()}
    small = min(SMALL, total / len(members) / 2)
    ranked: dict[int, list[int]] = {}
    rows: list[int] = []
    for _ in show_progress(iter(range(count)), count, 'choosing typical patches'):
        number = min(
            (number for number in members if waiting[number]),
            key=lambda number: (len(members[number]) < small, labelled[number], -len(members[number]), number),
        )
        if number not in ranked:
            inside = members[number]
            typicality = _mean_distance(features, inside, np.random.default_rng((seed, 2, number)))
            best = np.lexsort((inside, typicality))
            ranked[number] = [row for row in inside[best].tolist() if row < first_kept]
        rows.append(ranked[number].pop(0))
        labelled[number] += 1
        waiting[number] -= 1
    return Choice(rows, {'clusters': len(members), 'cluster': labels[rows].tolist()})


def _mean_distance(features: Features, rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the mean distance of every patch of a cluster to its nearest neighbours in it."""
    others = rows if len(rows) <= SAMPLE else np.sort(rng.choice(rows, SAMPLE, replace=False))
    number = max(1, min(NEIGHBOURS, len(others) // 2))
    if len(rows) == 1:
        return np.zeros(1)
    known = np.concatenate([block for _, block in blocks(features, others)])
    means = np.empty(len(rows))
    for start, block in blocks(features, rows, _ROWS):
        distances = _distances(block, known)
        distances[rows[start : start + len(block), None] == others] = np.inf
        means[start : start + len(block)] = np.partition(distances, number - 1, axis=1)[:, :number].mean(axis=1)
    return means


def _distances(block: np.ndarray, others: np.ndarray) -> np.ndarray:
    squares = (block * block).sum(axis=1)[:, None] + (others * others).sum(axis=1) - 2 * (block @ others.T)
    result: np.ndarray = np.sqrt(np.maximum(squares, 0))
    return result


def covering(features: Features, kept: int, count: int, seed: int, classes: int) -> Choice:
    """Choose patches whose neighbourhoods cover most others (ProbCover, https://arxiv.org/abs/2205.11320).

    The radius is the largest at which 95 % of the neighbourhoods hold a single cluster; there are as many clusters as
    classes. Each step takes the patch that covers most uncovered ones. Once all are covered, each step takes the patch
    farthest from those chosen (k-centre, https://arxiv.org/abs/1708.00489).

    With more than :data:`POOL` patches, a sample of that size is used, which includes the kept ones.

    Args:
        features: Features of all patches, of length 1.
        kept: The last so many patches are labelled already.
        count: Number of patches to choose.
        seed: Seed of clusters and sample.
        classes: Number of clusters that stand for the classes.

    Shape:
        - features: (n, D)
    """
    total, first_kept = len(features), len(features) - kept
    pool = np.arange(total)
    if total > POOL:
        size = min(first_kept, max(POOL - kept, count))
        drawn = np.random.default_rng((seed, 3)).choice(first_kept, size, replace=False)
        pool = np.concatenate([np.sort(drawn), pool[first_kept:]])
    inside = np.concatenate([block for _, block in blocks(features, pool)])
    open_rows = len(inside) - kept
    labels = cluster(inside, min(classes, len(inside)), seed)
    other = np.concatenate(
        [
            np.where(labels[start : start + len(block), None] == labels, np.inf, _distances(block, inside)).min(axis=1)
            for start, block in show_progress(blocks(inside, size=_ROWS), -(-len(inside) // _ROWS), 'choosing a radius')
        ]
    )
    finite = np.sort(other)
    radius = float(finite[int((1 - PURITY) * len(finite) + 1e-9)])
    if not np.isfinite(radius):  # all are one cluster: no neighbourhood is impure
        radius = float(np.nextafter(max(_distances(block, inside).max() for _, block in blocks(inside, size=_ROWS)), 9))
    gains = np.zeros(len(inside), np.int64)
    covered = np.zeros(len(inside), bool)
    for start, block in blocks(inside, size=_ROWS):
        gains[start : start + len(block)] = (_distances(block, inside) < radius).sum(axis=1)

    def cover(row: int) -> None:
        near = _distances(inside[row : row + 1], inside)[0] < radius
        fresh = np.flatnonzero(near & ~covered)
        covered[fresh] = True
        for _, block in blocks(inside, fresh, _ROWS):
            gains[:] -= (_distances(block, inside) < radius).sum(axis=0)

    for row in range(open_rows, len(inside)):
        cover(row)
    free = np.ones(len(inside), bool)
    free[open_rows:] = False
    chosen: list[int] = []
    for _ in show_progress(iter(range(count)), count, 'choosing patches that cover others'):
        row = int(np.where(free, gains, -1).argmax())
        if gains[row] <= 0:
            break
        chosen.append(row)
        free[row] = False
        cover(row)
    by_coverage = len(chosen)
    chosen += _farthest(inside, [*range(open_rows, len(inside)), *chosen], free, count - len(chosen))
    facts = {'radius': radius, 'covered': float(covered.mean()), 'chosen_by_coverage': by_coverage, 'pool': len(pool)}
    return Choice(pool[chosen].tolist(), facts)


def _farthest(features: np.ndarray, centres: list[int], free: np.ndarray, count: int) -> list[int]:
    """Choose patches one by one, each the farthest from all before (k-centre)."""
    nearest = np.full(len(features), np.inf, np.float32)
    for _, block in blocks(features, np.array(centres, int), _ROWS):
        nearest = np.minimum(nearest, _distances(block, features).min(axis=0))
    chosen: list[int] = []
    for _ in range(count):
        chosen.append(int(np.where(free, nearest, -1).argmax()))
        free[chosen[-1]] = False
        nearest = np.minimum(nearest, _distances(features[chosen[-1]][None], features)[0])
    return chosen


def at_random(candidates: int, count: int, seed: int) -> Choice:
    """Draw patches, each as probable as any other."""
    return Choice(np.random.default_rng((seed, 4)).permutation(candidates)[:count].tolist(), {})


def uncertain(
    doubts: np.ndarray,
    features_of: Callable[[np.ndarray], Features],
    count: int,
    seed: int,
    share: int = 10,
    kept: int = 0,
) -> Choice:
    """Choose the most doubtful patches, each of another cluster, of the ``share * count`` most doubtful and kept ones.

    There are ``count`` clusters, and one more per ``share`` kept patches. Clusters without a kept patch come first.
    Without the clusters, neighbouring patches with one and the same difficulty would fill the list.

    Args:
        doubts: Doubt of every candidate.
        features_of: Returns the features of candidates and kept patches, of length 1, by their rows.
        count: Number of patches to choose.
        seed: Seed of the clusters.
        share: Candidates per patch that is chosen.
        kept: So many patches, whose rows follow those of the candidates, are labelled already.

    Shape:
        - doubts: (n,)
    """
    order = np.argsort(-doubts, kind='stable')[: share * count]
    labelled = np.arange(len(doubts), len(doubts) + kept)
    labels = cluster(features_of(np.concatenate([order, labelled])), count + kept // share, seed)
    own, of_kept = labels[: len(order)], labels[len(order) :]
    _, first = np.unique(own, return_index=True)
    turn = np.full(len(order), 2)  # after the first of every cluster
    turn[first] = np.isin(own[first], of_kept)
    rows = order[np.sort(np.argsort(turn, kind='stable')[:count])]
    return Choice(rows.tolist(), {'doubt': doubts[rows].round(6).tolist()})
