"""A comparison of random projections with known labels."""

import torch

from projects.false.datasets.seeding import SampleIndex
from projects.false.losses.comparison import in_batch_comparison, queue_comparison
from projects.false.pair_audit.replay import AuditedComparison


def made_comparison(images=32, classes=4, seed=0, queue=0, pixels=100):
    """Compare in a batch or with a queue; views show one class or several, and the last image has no label."""
    generator = torch.Generator().manual_seed(seed)

    def counts(number):
        shares = torch.rand(number, classes, generator=generator).square()
        return (shares / shares.sum(1, keepdim=True) * pixels).round().long()

    def projections(number):
        return torch.randn(number, 8, generator=generator)

    visits = [SampleIndex(place, (seed, 0, place)) for place in range(images)]
    first, second = ([(visit, view) for visit in visits] for view in (0, 1))
    row_classes = counts(images if queue else 2 * images)
    row_classes[images - 1] = 0
    if not queue:
        rows = [*first, *second]
        comparison = in_batch_comparison(projections(images), projections(images), 0.5)
        return AuditedComparison(comparison, rows, rows, row_classes, row_classes)
    columns = [(SampleIndex(1000 + place, (seed, 0, place)), 1) for place in range(queue)]
    excluded = torch.rand(images, queue, generator=generator) < 0.1
    comparison = queue_comparison(projections(images), projections(images), projections(queue), 0.5, excluded)
    return AuditedComparison(comparison, first, columns, row_classes, counts(queue))
