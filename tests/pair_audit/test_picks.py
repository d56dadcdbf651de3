import pytest
import torch

from projects.false import FALSELoss, InputError, NTXentLoss
from projects.false.losses import DETERMINATIONS
from projects.false.losses.determinations.combined import Combined
from projects.false.pair_audit.judge import PairCounts, estimate_quality
from projects.false.pair_audit.picks import (
    RandomPicks,
    audited_rules,
    both_labelled,
    determined_matrix,
    dominant_class,
    histogram_overlap,
    negatives,
    past_gate,
    pick_pairs,
    true_pairs,
)
from tests.helpers.made_pairs import made_comparison

CPU = torch.device('cpu')


def counted(rule, criterion, queue):
    """Quality of one rule over twenty made comparisons."""
    rules, counts = audited_rules(FALSELoss(), not queue, seed=1, names=[rule]), []
    for seed in range(20):
        audited = made_comparison(seed=seed, queue=queue)
        same = true_pairs(audited.row_classes, audited.column_classes, 0.7)
        pairs = negatives(audited.comparison) & both_labelled(audited.row_classes, audited.column_classes)
        picks = pick_pairs(audited, rules, same['overlap'], CPU)[rule] & pairs
        right = same[criterion] & pairs
        counts.append(
            PairCounts(int(pairs.sum()), int(right.sum()), int(picks.sum()), int((picks & right).sum()), 0, 1)
        )
    return estimate_quality(counts)


@pytest.mark.parametrize('queue', [0, 48])
@pytest.mark.parametrize(('rule', 'criterion'), [('oracle', 'dominant'), ('oracle_overlap', 'overlap')])
def test_an_oracle_is_right_and_complete(rule, criterion, queue):
    found = counted(rule, criterion, queue)
    assert found.precision == found.recall == (1, 1, 1)
    assert 0.05 < found.base_rate.value < 0.9
    assert found.lift.value == pytest.approx(1 / found.base_rate.value)


@pytest.mark.parametrize('queue', [0, 48])
@pytest.mark.parametrize('criterion', ['dominant', 'overlap'])
def test_random_picks_have_no_lift(criterion, queue):
    found = counted('random', criterion, queue)
    assert found.lift.value == pytest.approx(1, abs=0.05)
    assert found.lift.low < 1.05
    assert found.lift.high > 0.95


@pytest.mark.parametrize('queue', [0, 48])
def test_random_picks_are_different_negatives(queue):
    comparison = made_comparison(queue=queue).comparison
    rule, allowed = RandomPicks(k=5, seed=0), negatives(comparison)
    first, second = (determined_matrix(comparison, rule.prepare(comparison)) for _ in range(2))
    assert (first.sum(1) == 5).all()
    assert not (first & ~allowed).any()
    assert (first != second).any()
    everything = RandomPicks(k=1000)
    assert torch.equal(determined_matrix(comparison, everything.prepare(comparison)), allowed)


def test_the_recipes_rule_picks_what_its_loss_determines():
    loss = FALSELoss(temperature=0.5, positive_threshold=0.3, determination=dict(type='topk', k=3, floor=0.1))
    torch.manual_seed(0)
    views = torch.randn(32, 8), torch.randn(32, 8)
    audited = made_comparison()._replace(comparison=loss.compare(*views))
    chosen = pick_pairs(audited, audited_rules(loss, True, 0, ['recipe']), None, CPU)['recipe']
    found = chosen & past_gate(audited.comparison, loss.positive_threshold)
    assert torch.equal(found, loss.determined(*views))
    assert found.any()


def test_a_recipe_that_reads_labels_keeps_its_own():
    loss = FALSELoss(temperature=0.5, determination=dict(type='oracle', overlap=0.8))
    torch.manual_seed(0)
    views, shares = torch.randn(32, 8), torch.rand(64, 5).mul(9).softmax(1)
    views = (views, torch.randn(32, 8))
    audited = made_comparison()._replace(comparison=loss.compare(*views, labels=shares))
    known = torch.zeros(64, 64, dtype=torch.bool)
    found = pick_pairs(audited, audited_rules(loss, True, 0, ['recipe', 'oracle']), known, CPU)
    own = determined_matrix(audited.comparison, loss.determination.prepare(audited.comparison))
    assert torch.equal(found['recipe'], own)
    assert own.any()
    assert not torch.equal(found['recipe'], found['oracle'])


def test_every_rule_is_there_side_by_side():
    in_batch = audited_rules(FALSELoss(), True, 0)
    single = {name for name, rule in DETERMINATIONS.module_dict.items() if not issubclass(rule, Combined)}
    every = {'recipe', *single, 'random', 'oracle', 'oracle_overlap'}
    assert set(in_batch) == every - {'evidence', 'place', 'other_place', 'nearest_features'}
    assert set(audited_rules(FALSELoss(), True, 0, known=['evidence', 'place', 'features'])) == every
    with_queue = audited_rules(NTXentLoss(), False, 0)
    assert set(in_batch) - set(with_queue) == {'recipe', 'released', 'mutual'}
    for rules, queue in ((in_batch, 0), (with_queue, 48)):
        audited = made_comparison(queue=queue)
        known = true_pairs(audited.row_classes, audited.column_classes, 0.8)['overlap']
        for name, chosen in pick_pairs(audited, rules, known, CPU).items():
            assert not (chosen & ~negatives(audited.comparison)).any(), name
            assert chosen.any(), name
    with pytest.raises(InputError, match=r'--determinations mutual: not one of .* for this recipe'):
        audited_rules(NTXentLoss(), False, 0, ['mutual'])


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
    found = true_pairs(COUNTS, COUNTS, 0.65)
    assert found['dominant'].nonzero().tolist() == [
        [0, 0], [0, 1], [1, 0], [1, 1], [2, 2], [4, 4], [4, 5], [5, 4], [5, 5]
    ]  # fmt: skip
    assert found['overlap'].nonzero().tolist() == [
        [0, 0], [0, 1], [1, 0], [1, 1], [2, 2], [2, 4], [2, 5], [4, 2], [4, 4], [4, 5], [5, 2], [5, 4], [5, 5]
    ]  # fmt: skip
