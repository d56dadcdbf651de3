"""LARC against a loop over parameters that follows the formula word by word."""

import copy

import pytest
import torch
from mmengine.optim import build_optim_wrapper
from mmengine.registry import PARAM_SCHEDULERS
from torch import nn

from projects.false.common.errors import InputError
from projects.false.engine.released_optim import LARC, ReleasedLR, released_lr

SHAPES = [(4, 3), (5,), (2, 3, 3, 3), (), (6,)]


def make_parameters(dtype: torch.dtype) -> list[nn.Parameter]:
    generator = torch.Generator().manual_seed(0)
    params = [nn.Parameter(torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype)) for shape in SHAPES]
    params[1].data.zero_()  # zero norm at the first step
    return params


def gradient(step: int, index: int, param: torch.Tensor) -> torch.Tensor | None:
    generator = torch.Generator().manual_seed(100 * step + index)
    if index == 3 and step % 2:
        return None
    value = torch.randn(param.shape, generator=generator, dtype=torch.float64).to(param.dtype)
    return value * 0 if index == 4 and step == 2 else value


def slow_step(params: list, buffers: dict, lr: float, decays: list[float]) -> None:
    for index, (param, decay) in enumerate(zip(params, decays, strict=True)):
        if param.grad is None:
            continue
        grad = param.grad.clone()
        param_norm, grad_norm = param.data.norm().item(), grad.norm().item()
        if param_norm > 0 and grad_norm > 0:
            grad = (grad + decay * param.data) * (0.001 * param_norm / (grad_norm + decay * param_norm + 1e-8))
        buffers[index] = grad if index not in buffers else 0.9 * buffers[index] + grad
        param.data = param.data - lr * buffers[index]


@pytest.mark.parametrize(('dtype', 'tolerance'), [(torch.float64, 1e-12), (torch.float32, 1e-6)])
def test_equals_the_formula(dtype: torch.dtype, tolerance: float) -> None:
    params, expected, buffers = make_parameters(dtype), make_parameters(dtype), {}
    decays = [1e-2, 1e-2, 1e-2, 0.0, 0.0]
    optimizer = LARC(
        [{'params': params[:2]}, {'params': params[2:3]}, {'params': params[3:], 'weight_decay': 0.0}],
        lr=4.8,
        weight_decay=1e-2,
    )
    for step in range(5):
        for index in range(len(params)):
            params[index].grad = gradient(step, index, params[index])
            expected[index].grad = gradient(step, index, expected[index])
        optimizer.param_groups[0]['lr'] = optimizer.param_groups[1]['lr'] = optimizer.param_groups[2]['lr'] = 4.8 - step
        optimizer.step()
        slow_step(expected, buffers, 4.8 - step, decays)
        for param, wanted in zip(params, expected, strict=True):
            torch.testing.assert_close(param.data, wanted.data, rtol=tolerance, atol=tolerance)


def test_zero_norm_takes_the_raw_gradient_without_decay() -> None:
    param = nn.Parameter(torch.zeros(3))
    param.grad = torch.tensor([1.0, 2.0, 3.0])
    LARC([param], lr=0.5, weight_decay=0.1).step()
    assert torch.equal(param.data, torch.tensor([-0.5, -1.0, -1.5]))


def test_without_momentum_keeps_no_buffer() -> None:
    param = nn.Parameter(torch.tensor([3.0, 4.0]))
    param.grad = torch.tensor([0.0, 2.0])
    optimizer = LARC([param], lr=1.0, momentum=0.0, weight_decay=0.0)
    optimizer.step()
    torch.testing.assert_close(param.data, torch.tensor([3.0, 4.0 - 0.001 * 5.0]))
    assert not optimizer.state


def test_half_precision_parameters_are_updated() -> None:
    param = nn.Parameter(torch.ones(8, dtype=torch.bfloat16))
    param.grad = torch.ones(8, dtype=torch.bfloat16)
    LARC([param], lr=100.0).step()
    torch.testing.assert_close(param.data, torch.full((8,), 0.9, dtype=torch.bfloat16), rtol=1e-2, atol=1e-2)


def test_continues_bit_for_bit_after_reload() -> None:
    whole = make_parameters(torch.float32)
    optimizer = LARC(whole, lr=0.1)
    for step in range(5):
        if step == 2:
            part = [nn.Parameter(param.data.clone()) for param in whole]
            resumed = LARC(part, lr=9.0)
            resumed.load_state_dict(copy.deepcopy(optimizer.state_dict()))
        for index, param in enumerate(whole):
            param.grad = gradient(step, index, param)
        optimizer.step()
        if step >= 2:
            for index, param in enumerate(part):
                param.grad = gradient(step, index, param)
            resumed.step()
    assert all(torch.equal(a, b) for a, b in zip(whole, part, strict=True))


def test_closure_is_evaluated_with_gradients() -> None:
    param = nn.Parameter(torch.ones(2))
    optimizer = LARC([param], lr=0.1)

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = param.sum()
        loss.backward()
        return loss

    assert optimizer.step(closure).item() == 2.0
    assert (param < 1).all()


def test_sparse_gradient_is_an_error() -> None:
    embedding = nn.Embedding(4, 2, sparse=True)
    embedding(torch.tensor([1])).sum().backward()
    with pytest.raises(RuntimeError, match='sparse'):
        LARC(embedding.parameters(), lr=0.1).step()


@pytest.mark.parametrize(
    ('name', 'value'),
    [
        ('lr', -1),
        ('momentum', 1.0),
        ('weight_decay', -1e-6),
        ('trust_coefficient', 0),
        ('eps', -1.0),
        ('lr', float('nan')),
    ],
)
def test_ranges_are_checked(name: str, value: float) -> None:
    with pytest.raises(InputError, match=f'{name} must be .* got {value}'):
        LARC([{'params': [nn.Parameter(torch.ones(1))], name: value}], lr=0.1)
    with pytest.raises(InputError, match=f'{name} must be .* got {value}'):
        LARC([nn.Parameter(torch.ones(1))], **{'lr': 0.1, name: value})


def test_mmengine_builds_it_without_decay_on_normalization() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4))
    wrapper = build_optim_wrapper(
        model,
        {'optimizer': {'type': 'LARC', 'lr': 4.8, 'weight_decay': 1e-6}, 'paramwise_cfg': {'norm_decay_mult': 0.0}},
    )
    decays = {group['params'][0]: group['weight_decay'] for group in wrapper.optimizer.param_groups}
    assert decays[model[0].weight] == decays[model[0].bias] == 1e-6
    assert decays[model[1].weight] == decays[model[1].bias] == 0.0


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
