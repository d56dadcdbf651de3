from types import SimpleNamespace

import pytest
import torch

from projects.false import FALSEHead, InputError
from projects.false.engine.determination_schedule_hook import DeterminationScheduleHook

RULES = [dict(type='topk', k=1, floor=-1), dict(type='topk', k=3, floor=-1)]
TURNS = dict(type='in_turn', rules=RULES, at=[0.5])


def a_runner(determination):
    head = FALSEHead(dict(type='FALSELoss', positive_threshold=-1.0, determination=determination))
    scalars = {}
    hub = SimpleNamespace(update_scalar=scalars.__setitem__)
    return SimpleNamespace(model=torch.nn.Sequential(head), iter=0, max_iters=6, message_hub=hub), scalars


def pairs(runner, first=0):
    """Pairs per anchor at every iteration of a run."""
    hook, found = DeterminationScheduleHook(), []
    loss = runner.model[0].loss_module
    hook.before_train(runner)
    for step in range(first, runner.max_iters):
        runner.iter = step
        hook.before_train_iter(runner, 0)
        loss(torch.eye(4), torch.eye(4))
        found.append(loss.seen['pairs_per_anchor'].item())
    hook.after_train(runner)
    return found


@pytest.mark.parametrize('rule', [TURNS, dict(type='any_of', rules=[RULES[0], TURNS])])
def test_the_rule_changes_at_a_share_of_training(rule):
    runner, scalars = a_runner(rule)
    assert pairs(runner) == [1, 1, 1, 3, 3, 3]
    assert scalars == {'train/determination_turn': 1}
    assert pairs(a_runner(rule)[0], first=2) == [1, 3, 3, 3]  # a resumed run
    with pytest.raises(InputError, match='does not know how far training is'):
        runner.model[0].loss_module(torch.eye(4), torch.eye(4))


def test_nothing_to_switch():
    with pytest.raises(InputError, match='found no loss with determination in_turn'):
        DeterminationScheduleHook().before_train(a_runner('topk')[0])
