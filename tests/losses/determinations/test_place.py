"""Pairs by place against their slow form, in a batch and with a queue, in blocks, and what does not fit."""

import math

import pytest
import torch

from projects.false import FALSELoss, InputError
from projects.false.losses import build_determination
from tests.helpers import slow_losses as slow
from tests.helpers.loss_cases import both_forms, queue_of, views


def places_of(count, seed=0):
    """Windows of 16 to 32 pixels on a grid of 16 in three rasters, so that some touch and some overlap."""
    generator = torch.Generator().manual_seed(seed)
    raster = torch.randint(0, 3, (count, 1), generator=generator)
    corner = 16 * torch.randint(0, 4, (count, 2), generator=generator)
    sides = 16 * torch.randint(1, 3, (count, 2), generator=generator)
    return torch.cat([raster, corner, corner + sides], 1).float()


@pytest.mark.parametrize('form', ['in batch', 'queue'])
@pytest.mark.parametrize('name', ['place', 'other_place'])
@pytest.mark.parametrize('distance', [0, 16, None])
@pytest.mark.parametrize('chunk_size', [None, 3])
def test_pairs_by_place(form, name, distance, chunk_size):
    (first, second, given), anchors, rows, columns = both_forms(form, 'place', places_of, queued=9)
    limit = math.inf if distance is None else distance
    expected = getattr(slow, name)(anchors, rows.tolist(), columns.tolist(), limit)
    loss = FALSELoss(0.5, 1.0, -1.0, dict(type=name, distance=distance), chunk_size=chunk_size)
    assert [set(row.nonzero()[:, 0].tolist()) for row in loss.determined(first, second, **given)] == expected
    assert any(expected)


def test_places_that_are_missing_or_do_not_fit():
    first, second = views(5)
    with pytest.raises(InputError, match=r'determination place needs place: .*ViewPlace'):
        FALSELoss(determination='place')(first, second)
    with pytest.raises(InputError, match='other_place needs place and queue_place'):
        FALSELoss(determination='other_place')(first, second, queue=queue_of(8), place=places_of(5))
    for distance in (-1, math.nan, '8', True):
        with pytest.raises(InputError, match='distance of determination place is a number'):
            build_determination(dict(type='place', distance=distance))
    with pytest.raises(InputError, match='takes no queue_place in this form'):
        FALSELoss()(first, second, queue_place=places_of(8))
