import torch

from projects.false.pair_audit.judge import Examples
from projects.false.pair_audit.picks import cosines, histogram_overlap, negatives, truth
from tests.pair_audit.made import made_comparison


def test_examples_are_picked_pairs_right_and_wrong_and_none_twice():
    found, generator = Examples(6, torch.Generator().manual_seed(0)), torch.Generator().manual_seed(1)
    allowed = {}
    for seed in range(4):
        audited = made_comparison(seed=seed)
        labels = audited.row_classes, audited.column_classes
        same, overlaps = truth(*labels, 0.8)['dominant'], histogram_overlap(*labels)
        picks = negatives(audited.comparison) & (torch.rand(same.shape, generator=generator) < 0.1)
        found.add(audited, picks, same, cosines(audited.comparison), overlaps)
        for row, column in picks.nonzero().tolist():
            key = (*_key(audited.rows[row]), *_key(audited.columns[column]))
            allowed[key] = bool(same[row, column]), float(overlaps[row, column])
    for right in (True, False):
        kept = found.kept(right)
        assert len(kept) == 6
        assert len({frozenset((_key(e.anchor), _key(e.other))) for e in kept}) == 6
        assert len({e.anchor[0].seed[0] for e in kept}) > 1  # not all of one batch
        for example in kept:
            assert allowed[(*_key(example.anchor), *_key(example.other))] == (right, example.overlap)


def _key(view):
    return view[0].seed, view[1]
