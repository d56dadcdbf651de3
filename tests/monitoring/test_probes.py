"""kNN and linear probes, and the accuracies of what they predict."""

import math

import pytest
import torch

from projects.false.monitoring.probes import accuracies, knn_predict, linear_predict


def clusters(count, seed=0):
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % 3
    return torch.eye(6)[labels] + 0.1 * torch.randn(count, 6, generator=generator), labels


def slow_knn(known, labels, feature, classes, neighbours, temperature, left_out=None):
    """As the paper has it, by loops and without tensors of votes."""
    cosine = [
        (float(feature @ row / feature.norm() / row.norm()), int(label), place)
        for place, (row, label) in enumerate(zip(known, labels, strict=True))
        if place != left_out
    ]
    votes = [0.0] * classes
    for similarity, label, _ in sorted(cosine, reverse=True)[:neighbours]:
        votes[label] += math.exp(similarity / temperature)
    return max(range(classes), key=lambda c: (votes[c], -c))


@pytest.mark.parametrize('neighbours', [1, 4, 100])
@pytest.mark.parametrize('leave_one_out', [False, True])
def test_knn_equals_loops(neighbours, leave_one_out):
    generator = torch.Generator().manual_seed(5)
    known, labels = torch.randn(20, 4, generator=generator), torch.randint(3, (20,), generator=generator)
    features = known if leave_one_out else torch.randn(9, 4, generator=generator)
    found = knn_predict(known, labels, features, 3, neighbours, 0.07, leave_one_out)
    slow = [
        slow_knn(known, labels, row, 3, neighbours, 0.07, place if leave_one_out else None)
        for place, row in enumerate(features)
    ]
    assert found.tolist() == slow


def test_linear_probe_separates_what_a_plane_separates_and_draws_nothing():
    known, labels = clusters(30)
    features, truth = clusters(60, seed=1)
    before = torch.get_rng_state()
    with torch.no_grad():
        predicted = linear_predict(known * 100 + 7, labels, features * 100 + 7, 3)
    assert (predicted == truth).all()
    assert torch.equal(torch.get_rng_state(), before)


def test_accuracies_weigh_pixels_or_classes():
    right, by_class = accuracies(torch.tensor([0, 0, 0, 0]), torch.tensor([0, 0, 0, 2]), 4)
    assert (right, by_class) == (75, 50)
