from types import SimpleNamespace

import pytest
import torch

from projects.false import FALSEHead, InputError
from projects.false.engine.confidence_schedule_hook import ConfidenceScheduleHook, confidence_share


@pytest.mark.parametrize(
    ('progress', 'linear', 'cosine'),
    [
        (0, 0, 0),
        (0.2, 0, 0),
        (0.3, 0.25, 0.1464466),
        (0.4, 0.5, 0.5),
        (0.5, 0.75, 0.8535534),
        (0.6, 1, 1),
        (0.99, 1, 1),
    ],
)
def test_share(progress, linear, cosine):
    assert confidence_share(progress, 0.2, 0.6, 'linear') == pytest.approx(linear)
    assert confidence_share(progress, 0.2, 0.6, 'cosine') == pytest.approx(cosine)


def test_a_step_where_the_ramp_has_no_length():
    assert [confidence_share(progress, 0.3, 0.3, 'linear') for progress in (0, 0.29, 0.3, 1)] == [0, 0, 1, 1]
    assert confidence_share(0, 0, 0, 'linear') == 1


def a_runner(loss='FALSELoss', max_iters=10, **arguments):
    head = FALSEHead(dict(type=loss, **arguments))
    scalars = {}
    hub = SimpleNamespace(update_scalar=scalars.__setitem__)
    return SimpleNamespace(model=torch.nn.Sequential(head), iter=0, max_iters=max_iters, message_hub=hub), scalars


def alphas(hook, runner, first=0):
    hook.before_train(runner)
    found = []
    for step in range(first, runner.max_iters):
        runner.iter = step
        hook.before_train_iter(runner, 0)
        found.append(runner.model[0].loss_module.confidence_weight)
    hook.after_train(runner)
    return found


def test_scales_the_confidence_of_the_loss_and_logs_it():
    runner, scalars = a_runner(confidence_weight=0.8)
    found = alphas(ConfidenceScheduleHook(0.2, 0.6), runner)
    assert found == pytest.approx([0, 0, 0, 0.2, 0.4, 0.6, 0.8, 0.8, 0.8, 0.8])
    assert scalars == {'train/confidence_weight': 0.8}
    assert runner.model[0].loss_module.confidence_weight == 0.8


def test_a_resumed_run_continues_where_it_was():
    whole = alphas(ConfidenceScheduleHook(shape='cosine'), a_runner()[0])
    assert alphas(ConfidenceScheduleHook(shape='cosine'), a_runner()[0], first=3) == whole[3:]


def test_needs_a_loss_with_a_confidence():
    with pytest.raises(
        InputError, match=r'found no loss with a confidence_weight; set model\.head\.loss\.type=FALSELoss'
    ):
        ConfidenceScheduleHook().before_train(a_runner('NTXentLoss')[0])


@pytest.mark.parametrize(
    ('arguments', 'text'),
    [
        ({'start': -0.1}, r'start .* must be in \[0, 1\], got -0.1'),
        ({'start': 0.5, 'end': 0.4}, r'end .* must be in \[0.5, 1\], got 0.4'),
        ({'end': 1.1}, 'end'),
        ({'shape': 'step'}, "must be one of linear, cosine, got 'step'"),
    ],
)
def test_arguments_out_of_range(arguments, text):
    with pytest.raises(InputError, match=text):
        ConfidenceScheduleHook(**arguments)
