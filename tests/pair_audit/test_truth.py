import pytest
import torch

from projects.false.pair_audit.picks import dominant_class, histogram_overlap, truth

COUNTS = torch.tensor([[10, 0, 0], [9, 1, 0], [0, 5, 5], [0, 0, 0], [0, 2, 8], [30, 20, 50]])


def slow_overlap(one, other):
    one, other = one.tolist(), other.tolist()
    if not sum(one) or not sum(other):
        return 0.0
    return sum(min(a / sum(one), b / sum(other)) for a, b in zip(one, other, strict=True))


def test_overlap_equals_loops():
    found = histogram_overlap(COUNTS, COUNTS[1:])
    for i, one in enumerate(COUNTS):
        for j, other in enumerate(COUNTS[1:]):
            assert float(found[i, j]) == pytest.approx(slow_overlap(one, other))


def test_known_pairs():
    assert dominant_class(COUNTS).tolist() == [0, 0, 1, -1, 2, 2]
    found = truth(COUNTS, COUNTS, 0.65)
    assert found['dominant'].nonzero().tolist() == [
        [0, 0], [0, 1], [1, 0], [1, 1], [2, 2], [4, 4], [4, 5], [5, 4], [5, 5]
    ]  # fmt: skip
    assert found['overlap'].nonzero().tolist() == [
        [0, 0], [0, 1], [1, 0], [1, 1], [2, 2], [2, 4], [2, 5], [4, 2], [4, 4], [4, 5], [5, 2], [5, 4], [5, 5]
    ]  # fmt: skip
