"""Every rule against its slow form, in a batch and with a queue, and what it must not depend on."""

from functools import partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from projects.false import FALSELoss, InputError
from projects.false.losses import build_determination
from projects.false.losses.comparison import in_batch_comparison
from projects.false.losses.determinations import TopK, released
from projects.false.losses.determinations.batch_nearest import mask_at_minimum, nearest_distances
from tests.helpers import slow_losses as slow
from tests.helpers.loss_cases import IN_BATCH, ROW_WISE, queue_of, slow_pairs, some_excluded, spec, views
from tests.helpers.waits import Waits


def as_sets(mask):
    return [set(row.nonzero()[:, 0].tolist()) for row in mask]


@pytest.mark.parametrize('case', IN_BATCH)
@pytest.mark.parametrize(
    ('n', 'spread', 'tau'), [(1, 0.5, 0.5), (2, 0.5, 0.1), (7, 0.1, 0.5), (7, 1.5, 2.0), (9, 0.3, 0.05)]
)
@pytest.mark.parametrize('threshold', [-1.0, 0.5])
def test_in_batch(case, n, spread, tau, threshold):
    first, second = views(n, spread=spread, seed=n)
    anchors = slow.in_batch(first, second)
    expected = slow.gated(slow_pairs(case, anchors, tau), anchors, threshold)
    assert as_sets(FALSELoss(tau, 1.0, threshold, spec(case)).determined(first, second)) == expected


@pytest.mark.parametrize('case', ROW_WISE)
@pytest.mark.parametrize('tau', [0.1, 0.5])
@pytest.mark.parametrize('shape', ['none', 'every query', 'a query'])
def test_with_a_queue(case, tau, shape):
    query, key = views(6, spread=0.4)
    queue = queue_of(13)
    mask = some_excluded(6, 13)
    excluded = {'none': None, 'every query': mask[1], 'a query': mask}[shape]
    rows = None if excluded is None else excluded.expand(6, 13).tolist()
    anchors = slow.with_queue(query, key, queue, rows)
    expected = slow.gated(slow_pairs(case, anchors, tau), anchors, 0.3)
    loss = FALSELoss(tau, 1.0, 0.3, spec(case))
    assert as_sets(loss.determined(query, key, queue=queue, excluded=excluded)) == expected


@settings(max_examples=15, deadline=None)
@given(n=st.integers(2, 8), seed=st.integers(0, 1000), case=st.sampled_from([c for c in IN_BATCH if c != 'released']))
def test_order_and_directions_do_not_matter(n, seed, case):
    first, second = views(n, seed=seed)
    loss = FALSELoss(0.5, 0.8, 0.5, spec(case))
    value = loss(first, second)
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(n, generator=generator)
    turn = torch.linalg.qr(torch.randn(5, 5, generator=generator, dtype=torch.float64))[0]
    torch.testing.assert_close(loss(first[order], second[order]), value)
    torch.testing.assert_close(loss(second, first), value)
    torch.testing.assert_close(loss(first @ turn, second @ turn), value)


def test_below_the_positive_the_most_similar_is_nearest_even_if_all_exponentials_vanish():
    """At temperature 0.01 every e_ij of this row is nothing beside e_ip in float32."""
    first = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.2], [0.5, 1.0]])
    found = FALSELoss(0.01, 1.0, -1.0).determined(first, first)
    assert found[0].nonzero()[0].item() == 3


def test_a_negative_that_equals_the_positive_is_nearest():
    first = torch.eye(4)[[0, 0, 1, 2]]
    found = FALSELoss(0.5, 1.0, -1.0).determined(first, first)
    assert as_sets(found)[0] <= {1, 5}
    assert found.sum(1).tolist() == [1] * 8


def test_a_floor_is_a_cosine_that_still_counts():
    first = torch.eye(4)
    at, above = ({'type': 'anchor_nearest', 'k': 9, 'floor': floor} for floor in (0.0, 1e-6))
    assert FALSELoss(0.5, 1.0, -1.0, at).determined(first, first).sum() == 8 * 6
    assert FALSELoss(0.5, 1.0, -1.0, above).determined(first, first).sum() == 0


@pytest.mark.parametrize('name', ['batch_nearest', 'released'])
def test_ties_all_count_where_the_rule_says_all(name):
    """Three images are the same, so that an anchor has several negatives that attain the minimum."""
    # Quarters of norm 1, whose products no processor rounds, whatever the order of its sums: ties stay ties.
    quarters = [
        [[1, 2, 1, 1, -3], [1, 1, 2, 1, 3], [1, 3, 2, 1, 1], [3, 2, -1, 1, -1], [1, -2, 3, 1, 1]],
        [[1, 2, 1, 1, -3], [1, 1, 2, 1, 3], [1, 2, 3, 1, 1], [3, 2, 1, -1, -1], [1, -2, 3, 1, 1]],
    ]
    first, second = (torch.cat([view, view[3:4], view[3:4]]) for view in torch.tensor(quarters).double() / 4)
    anchors = slow.in_batch(first, second)
    expected = getattr(slow, name)(anchors, 0.5)
    assert max(map(len, expected)) == 2
    assert as_sets(FALSELoss(0.5, 1.0, -1.0, name).determined(first, second)) == expected


@pytest.mark.parametrize('name', ['released', 'mutual'])
def test_no_meaning_with_a_queue(name):
    first, second = views(4)
    with pytest.raises(InputError, match=f'determination {name} .* choose anchor_nearest for FALSEMoCo'):
        FALSELoss(determination=name)(first, second, queue=queue_of(8))


def test_a_rule_is_known_by_its_name_and_by_its_class():
    for kind in (TopK, 'topk'):
        assert type(build_determination(kind)) is TopK
        assert build_determination(dict(type=kind, k=2)).k == 2
        with pytest.raises(InputError, match='does not take these arguments'):
            build_determination(dict(type=kind, wrong=2))
    for kind in (FALSELoss, 'nope', None):
        with pytest.raises(InputError, match=r'unknown determination .*; choose one of'):
            build_determination(dict(type=kind))
    by_class, by_name = (FALSELoss(determination=dict(type=kind, k=2)) for kind in (TopK, 'topk'))
    projections = views(6, spread=0.5)
    assert torch.equal(by_class(*projections), by_name(*projections))


@pytest.mark.parametrize(
    ('config', 'text'),
    [
        ('nearest', 'choose one of all_of, anchor_nearest, any_of, batch_nearest, evidence, in_turn, margin, mutual, '),
        (None, 'unknown determination None'),
        ({'k': 3}, 'unknown determination None'),
        ({'type': 'anchor_nearest', 'n': 2}, 'does not take these arguments'),
        ({'type': 'released', 'k': 2}, 'does not take these arguments'),
        ({'type': 'anchor_nearest', 'k': 0}, 'k of determination anchor_nearest .* got 0'),
        ({'type': 'anchor_nearest', 'k': True}, 'got True'),
        ({'type': 'anchor_nearest', 'floor': 2}, 'floor'),
        ({'type': 'margin', 'margin': -0.1}, r'margin .* must be in \[0, 2\], got -0.1'),
        ({'type': 'margin', 'max_pairs': 1.5}, 'max_pairs .* got 1.5'),
        ({'type': 'topk', 'k': 0}, 'k of determination topk'),
        ({'type': 'topk', 'floor': -1.1}, 'floor .* got -1.1'),
        ({'type': 'mutual', 'k': '5'}, "got '5'"),
    ],
)
def test_arguments_out_of_range(config, text):
    with pytest.raises(InputError, match=text):
        build_determination(config)


@pytest.mark.parametrize(
    'rule',
    [
        dict(type='anchor_nearest', k=78, floor=-1.0),
        dict(type='topk', k=78, floor=-1.0),
        dict(type='margin', margin=2.0, max_pairs=78),
    ],
)
def test_bounds_that_let_everything_pass_do_so_in_spite_of_rounding(rule):
    """Opposite rows of odd lengths have cosines on both sides of -1."""
    row = torch.randn(20, 7, generator=torch.Generator().manual_seed(0))
    first = torch.cat([row, -3 * row])
    found = FALSELoss(0.3, positive_threshold=-1.0, determination=rule).determined(first, 0.7 * first)
    assert found.sum(1).tolist() == [78] * 80


@pytest.mark.parametrize('spread', [0.0, 0.1, 0.8])  # ties everywhere, and both regimes of the released rule
@pytest.mark.parametrize('name', ['batch_nearest', 'released'])
def test_forms_that_do_not_wait_find_the_same_pairs(name, spread):
    first, second = views(9, spread=spread)
    rule = build_determination(name)
    comparison = in_batch_comparison(first, second, 0.5, chunk_size=5)
    find = rule.prepare(comparison)
    if name == 'released':
        blocks = comparison.blocks(later_columns=True)
        nearest = torch.cat([nearest_distances(released._keep_candidates(block)) for block in blocks])
        without = partial(released._of_either_regime, nearest=nearest, minimum=nearest.min())
    else:
        nearest = torch.cat([nearest_distances(block) for block in comparison.blocks()])
        without = partial(mask_at_minimum, attained=nearest == nearest.min())
    for one, other in zip(comparison.blocks(), comparison.blocks(), strict=True):
        expected = find(one).mask(18)
        with Waits() as waits:
            found = without(other).mask(18)
        assert torch.equal(found, expected)
        assert waits.calls == []
