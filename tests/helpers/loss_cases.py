"""Inputs that the tests of losses share."""

import torch

from projects.false import DebiasedLoss, FALSELoss, FNCLoss, HardNegativeLoss, NTXentLoss
from tests.helpers import slow_losses as slow

WIDE, NEAR = {'type': 'topk', 'k': 4, 'floor': -0.5}, {'type': 'anchor_nearest', 'k': 3}
ROW_WISE = {
    'anchor_nearest': ({}, slow.anchor_nearest),
    'anchor_nearest_3': ({'type': 'anchor_nearest', 'k': 3, 'floor': -0.2}, slow.anchor_nearest),
    'margin': ({}, slow.margin),
    'margin_wide': ({'type': 'margin', 'margin': 0.8, 'max_pairs': 3}, slow.margin),
    'topk': ({}, slow.topk),
    'topk_low': ({'type': 'topk', 'k': 3, 'floor': -0.5}, slow.topk),
    'batch_nearest': ({}, slow.batch_nearest),
    'all_of': ({'type': 'all_of', 'rules': [WIDE, NEAR]}, slow.all_of),
    'any_of': ({'type': 'any_of', 'rules': [NEAR, {'type': 'margin', 'margin': 0.3}]}, slow.any_of),
}
"""Determinations that have a meaning with a queue, by case: config and slow form."""

IN_BATCH = ROW_WISE | {
    'released': ({}, slow.released),
    'mutual': ({}, slow.mutual),
    'mutual_2': ({'type': 'mutual', 'k': 2}, slow.mutual),
}
"""All determinations that need no labels."""


def spec(case):
    """The determination of a case as a config names it."""
    return IN_BATCH[case][0] or case


def slow_pairs(case, anchors, tau):
    """F(i) of a case before the gate."""
    arguments, rule = IN_BATCH[case]
    return rule(anchors, tau, **{name: value for name, value in arguments.items() if name != 'type'})


def losses(temperature=0.5, **options):
    """Every loss, with every determination, by name."""
    made = {
        'nt_xent': NTXentLoss(temperature, **options),
        'debiased': DebiasedLoss(temperature, **options),
        'hard_negative': HardNegativeLoss(temperature, beta=0.7, **options),
        'growing': FALSELoss(
            temperature, 0.9, -1.0, {'type': 'topk', 'k': 4, 'floor': -1}, confidence_floor=0.1, **options
        ),
    }
    for case in IN_BATCH:
        made[case] = FALSELoss(temperature, 0.7, 0.2, spec(case), **options)
    for mode in ('elimination', 'attraction'):
        for rule in ({'type': 'topk', 'k': 3, 'floor': 0.0}, 'released', 'anchor_nearest'):
            name = rule if isinstance(rule, str) else 'topk'
            made[f'{mode}_{name}'] = FNCLoss(temperature, mode, -1.0, rule, **options)
    return made


WITH_QUEUE = [name for name in losses() if not name.startswith('mutual') and not name.endswith('released')]


def views(n, dimension=5, spread=0.5, seed=0, dtype=torch.float64):
    """Two views whose positives agree better with a smaller spread."""
    generator = torch.Generator().manual_seed(seed)
    first = torch.randn(n, dimension, generator=generator, dtype=dtype)
    return first, first + spread * torch.randn(n, dimension, generator=generator, dtype=dtype)


def queue_of(places, dimension=5, seed=9, dtype=torch.float64):
    """Past keys, not normalised."""
    return torch.randn(places, dimension, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def both_forms(form, name, known_of, queued=8):
    """Six images compared in a batch or with a queue of so many keys, and what a rule reads of them by that name.

    ``known_of(count, seed=...)`` makes what is known. Returns the arguments of the loss, the slow anchors, and what is
    known of the rows and of the columns.
    """
    first, second = views(6)
    if form == 'in batch':
        rows = columns = known_of(12)
        return (first, second, {name: rows}), slow.in_batch(first, second), rows, columns
    rows, columns = known_of(6), known_of(queued, seed=1)
    given = {name: rows, 'queue': queue_of(queued), f'queue_{name}': columns}
    return (first, second, given), slow.with_queue(first, second, queue_of(queued)), rows, columns


def some_excluded(n, places, seed=4):
    """A mask of excluded places, with one query that may compare with none of them."""
    excluded = torch.rand(n, places, generator=torch.Generator().manual_seed(seed)) < 0.3
    excluded[0] = True
    return excluded


FORMS = ['in batch', 'queue', 'queue, some excluded']


def value_and_anchors(loss, form, spread=0.4):
    """The loss of six images in one of the forms, and the anchors that its slow form takes."""
    first, second = views(6, spread=spread)
    if form == 'in batch':
        return loss(first, second).item(), slow.in_batch(first, second)
    excluded = some_excluded(6, 11) if 'excluded' in form else None
    anchors = slow.with_queue(first, second, queue_of(11), None if excluded is None else excluded.tolist())
    return loss(first, second, queue=queue_of(11), excluded=excluded).item(), anchors


def collapsed_and_separated(n):
    """Embeddings of n images that are almost equal, and embeddings that are almost orthogonal."""
    noise = 1e-3 * torch.randn(2, n, n, generator=torch.Generator().manual_seed(0))
    return torch.ones(n, n) + noise[0], torch.eye(n) + noise[1]
