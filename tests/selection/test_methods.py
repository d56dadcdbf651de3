import numpy as np
import pytest

from projects.false.selection import methods
from projects.false.selection.clusters import cluster
from projects.false.selection.methods import at_random, covering, typical, uncertain

from .test_clusters import blobs


def distances(points):
    points = points.astype(float)
    return np.linalg.norm(points[:, None] - points[None], axis=2)


def test_the_densest_place_of_every_cluster_the_largest_first():
    points, truth = blobs([40, 90, 60])
    choice = typical(points, 0, 3, seed=0)
    assert truth[choice.rows].tolist() == [1, 2, 0]
    between = distances(points)
    for row in choice.rows:
        inside = np.flatnonzero(truth == truth[row])
        means = {i: np.sort(between[i, inside])[1:21].mean() for i in inside.tolist()}
        assert means[row] == pytest.approx(min(means.values()), rel=1e-3)


def test_clusters_with_labels_come_after_those_without():
    points, truth = blobs([40, 60, 50])
    order = np.concatenate([np.arange(1, 40), np.arange(41, 150), [0, 40]])  # one patch of two clusters is kept
    choice = typical(points[order], 2, 1, seed=0)
    assert truth[order][choice.rows].tolist() == [2]
    more = typical(points[order], 2, 140, seed=0)
    assert len(set(more.rows)) == 140
    assert max(more.rows) < 148


def test_outliers_come_last():
    points, truth = blobs([60, 60, 2])
    assert set(truth[typical(points, 0, 3, seed=0).rows]) == {0, 1}


def test_large_clusters_are_judged_by_a_sample(monkeypatch):
    points, truth = blobs([200, 300])
    monkeypatch.setattr(methods, 'SAMPLE', 50)
    choice = typical(points, 0, 2, seed=0)
    assert truth[choice.rows].tolist() == [1, 0]
    assert choice == typical(points, 0, 2, seed=0)
    for row in choice.rows:  # nearer to the middle than most
        inside = points[truth == truth[row]].astype(float)
        off = np.linalg.norm(inside - inside.mean(axis=0), axis=1)
        assert np.linalg.norm(points[row] - inside.mean(axis=0)) < np.quantile(off, 0.3)


def slowly_covering(points, kept, count, classes, seed):
    between, total = distances(points), len(points)
    labels = cluster(points, classes, seed)
    candidates = np.unique(between)
    alike = labels[:, None] == labels
    pure = [(alike | (between >= radius)).all(axis=1).mean() for radius in candidates]
    radius = candidates[np.flatnonzero(np.array(pure) >= 0.95).max()]
    covered = np.zeros(total, bool)
    for row in range(total - kept, total):
        covered |= between[row] < radius
    chosen = []
    for _ in range(count):
        gains = [-1 if i in chosen else ((between[i] < radius) & ~covered).sum() for i in range(total - kept)]
        if max(gains) <= 0:
            break
        chosen.append(int(np.argmax(gains)))
        covered |= between[chosen[-1]] < radius
    while len(chosen) < count:
        centres = [*chosen, *range(total - kept, total)]
        far = [-1 if i in chosen else between[i, centres].min() for i in range(total - kept)]
        chosen.append(int(np.argmax(far)))
    return chosen, radius, covered.mean()


@pytest.mark.parametrize(('kept', 'count'), [(0, 6), (7, 30)])
def test_covering_against_a_slow_loop(kept, count, monkeypatch):
    monkeypatch.setattr(methods, '_ROWS', 32)
    points, _ = blobs([20, 25, 15], seed=3, spread=0.3)
    points = points[np.random.default_rng(0).permutation(len(points))].astype(np.float32)
    choice = covering(points, kept, count, seed=0, classes=3)
    chosen, radius, covered = slowly_covering(points, kept, count, 3, 0)
    assert choice.facts['radius'] == pytest.approx(radius, rel=1e-4)
    assert choice.rows == chosen
    assert choice.facts['covered'] == pytest.approx(covered)
    assert (choice.facts['chosen_by_coverage'] < count) == (count == 30)


def test_covering_of_more_than_the_pool(monkeypatch):
    points, truth = blobs([100, 150, 120])
    monkeypatch.setattr(methods, 'POOL', 90)
    choice = covering(points, 2, 3, seed=0, classes=3)  # the kept ones cover the last cluster
    assert set(truth[choice.rows[:2]]) == {0, 1}
    assert (choice.facts['pool'], choice == covering(points, 2, 3, seed=0, classes=3)) == (90, True)
    assert len(set(covering(points, 2, 120, seed=0, classes=3).rows)) == 120


def test_covering_of_one_cluster_and_of_equal_patches():
    points, _ = blobs([20])
    choice = covering(points, 0, 3, seed=0, classes=1)
    assert (len(set(choice.rows)), choice.facts['covered'], choice.facts['chosen_by_coverage']) == (3, 1.0, 1)
    assert len(set(covering(np.ones((8, 4), np.float16), 0, 3, seed=0, classes=2).rows)) == 3


def test_the_most_doubtful_of_every_cluster():
    points, _ = blobs([40, 40, 40])
    doubts = np.linspace(0, 1, 120)
    doubts[:3] = 0.99
    choice = uncertain(doubts, lambda rows: points[rows], 2, seed=0, share=20)
    assert choice.rows == [119, 0]  # of the 40 most doubtful, 37 are neighbours of the first
    assert choice.facts['doubt'] == [1.0, 0.99]
    equal = uncertain(doubts, lambda rows: np.ones((len(rows), 2)), 3, seed=0)
    assert equal.rows == [119, 118, 0]


def test_what_is_kept_counts_as_labelled_for_doubt_too():
    points, _ = blobs([20, 20, 20])
    points = np.concatenate([points, points[:10]])  # the last ten, of the first cluster, are kept
    doubts = np.zeros(60)
    doubts[:10], doubts[20:25], doubts[40:45] = 1, 0.9, 0.8
    assert 0 in uncertain(doubts, lambda rows: points[rows], 2, seed=0).rows
    choice = uncertain(doubts, lambda rows: points[rows], 2, seed=0, kept=10)
    assert (choice.rows, choice.facts['doubt']) == ([20, 40], [0.9, 0.8])
    more = uncertain(doubts, lambda rows: points[rows], 60, seed=0, kept=10)
    assert sorted(more.rows) == list(range(60))


def test_draws():
    assert sorted(at_random(9, 9, 0).rows) == list(range(9))
    assert at_random(100, 5, 3).rows == at_random(100, 9, 3).rows[:5] != at_random(100, 5, 4).rows
