import numpy as np
import pytest

from projects.false.common.errors import InputError
from projects.false.selection.clusters import Reordered, blocks, cluster


def blobs(sizes, seed=0, dimension=8, spread=0.05):
    rng = np.random.default_rng(seed)
    centres = np.eye(dimension)[: len(sizes)]
    points = np.concatenate(
        [centre + spread * rng.standard_normal((size, dimension)) for centre, size in zip(centres, sizes, strict=True)]
    )
    return points.astype(np.float16), np.repeat(np.arange(len(sizes)), sizes)


def same_partition(one, other):
    return len({*zip(one.tolist(), other.tolist(), strict=True)}) == len(set(one.tolist())) == len(set(other.tolist()))


@pytest.mark.parametrize('in_batches', [False, True])
def test_separate_clusters_are_found(in_batches, monkeypatch):
    points, truth = blobs([300, 20, 100])
    if in_batches:
        monkeypatch.setattr('projects.false.selection.clusters.EXACT', 100)
        monkeypatch.setattr('projects.false.selection.clusters.BLOCK', 64)
    labels = cluster(points, 3, seed=1)
    assert same_partition(labels, truth)
    assert np.array_equal(labels, cluster(points, 3, seed=1))


def test_features_in_another_order_are_those_of_a_copy():
    points, _ = blobs([50, 30])
    order = np.random.default_rng(0).permutation(80)[:60]
    view, copy = Reordered(points, order), points[order]
    assert np.array_equal(cluster(view, 4, seed=0), cluster(copy, 4, seed=0))
    rows = np.array([5, 0, 59])
    for given in (None, rows):
        for (start, part), (same, other) in zip(blocks(view, given, 7), blocks(copy, given, 7), strict=True):
            assert start == same
            assert np.array_equal(part, other)


def test_more_passes_do_not_change_it():
    points = np.random.default_rng(0).standard_normal((200, 4)).astype(np.float16)
    labels = cluster(points, 5, seed=0)
    centres = np.array([points[labels == number].astype(float).mean(axis=0) for number in range(5)])
    assert np.array_equal(labels, ((points[:, None] - centres) ** 2).sum(axis=2).argmin(axis=1))


def test_equal_features_and_as_many_clusters_as_features():
    assert set(cluster(np.ones((6, 3), np.float16), 4, seed=0)) <= set(range(4))
    points, _ = blobs([3, 3])
    assert sorted(cluster(points, 6, seed=0)) == list(range(6))
    for count in (0, 7):
        with pytest.raises(InputError, match=f'{count} clusters of 6 features'):
            cluster(points, count, seed=0)
