"""The released learning rate at every value that is known, and through real optimizers."""

import pytest
import torch
from mmengine.registry import PARAM_SCHEDULERS
from torch import nn

from projects.false.common.errors import InputError
from projects.false.engine.released_optim import LARC, ReleasedLR, released_lr

RELEASED = {
    0.0: 0.6,
    0.05: 2.7,
    0.0999: 4.7958,
    0.1: 3.596849,
    0.2: 2.702086,
    0.3: 0.909322,
    0.4: 0.004835,
    0.5: 0.29803,
    0.6: 0.891983,
    0.7: 1.194866,
    0.8: 0.904893,
    0.9: 0.310987,
    0.9999: 0.004917,
}


def make_optimizer(lr: float = 4.8) -> LARC:
    return LARC([nn.Parameter(torch.ones(1))], lr=lr)


def run(scheduler: ReleasedLR, steps: int) -> list[float]:
    values = []
    for _ in range(steps):
        values.append(scheduler.optimizer.param_groups[0]['lr'])
        scheduler.optimizer.step()
        scheduler.step()
    return values


@pytest.mark.parametrize(('progress', 'expected'), RELEASED.items())
def test_released_values(progress: float, expected: float) -> None:
    assert round(released_lr(progress), 6) == expected
    assert round(released_lr(progress, peak=0.48), 7) == pytest.approx(expected / 10, abs=6e-8)


@pytest.mark.parametrize('progress', [-0.1, 1.1, float('nan')])
def test_progress_outside_training(progress: float) -> None:
    with pytest.raises(ValueError, match='progress must be in'):
        released_lr(progress)


def test_every_iteration_of_200_epochs() -> None:
    config = {'type': 'ReleasedLR', 'by_epoch': True, 'begin': 0, 'end': 200, 'convert_to_iter_based': True}
    scheduler = PARAM_SCHEDULERS.build(config, default_args={'optimizer': make_optimizer(), 'epoch_length': 50})
    values = run(scheduler, 10_000)
    assert values == [released_lr(step / 10_000) for step in range(10_000)]
    for progress, expected in RELEASED.items():
        assert round(values[round(progress * 10_000)], 6) == expected
    scheduler.step()  # past the end
    assert scheduler.get_last_value() == [values[-1]]


def test_continues_after_reload() -> None:
    whole = ReleasedLR(make_optimizer(lr=1.2), end=60)
    first = run(whole, 25)
    optimizer = make_optimizer(lr=1.2)
    resumed = ReleasedLR(optimizer, end=60)
    optimizer.load_state_dict(whole.optimizer.state_dict())
    resumed.load_state_dict(whole.state_dict())
    assert [*first, *run(resumed, 35)] == [released_lr(step / 60, peak=1.2) for step in range(60)]


def test_runner_fills_in_the_length_and_scales(tiny_runner) -> None:
    seen = []

    runner = tiny_runner(
        'lr', auto_scale_lr={'enable': True, 'base_batch_size': 2}, default_hooks={'checkpoint': None}, custom_hooks=[]
    )
    step = runner.model.train_step

    def watched(*args, **kwargs):
        seen.append(runner.optim_wrapper.get_lr()['lr'][0])
        return step(*args, **kwargs)

    runner.model.train_step = watched
    runner.train()
    assert seen == pytest.approx([released_lr(step / 16, peak=0.02) for step in range(16)], rel=1e-12)


def test_unknown_length() -> None:
    with pytest.raises(InputError, match='length of training'):
        ReleasedLR(make_optimizer())
    with pytest.raises(InputError, match='epoch_length=None'):
        ReleasedLR.build_iter_from_epoch(make_optimizer(), end=200)
