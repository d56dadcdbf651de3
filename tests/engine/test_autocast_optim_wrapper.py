"""bfloat16 in the forward pass, float32 everywhere else."""

import pytest
import torch
from mmengine.optim import build_optim_wrapper
from mmengine.registry import DefaultScope
from torch import nn

import projects.false.engine.precision  # noqa: F401
from projects.false.common.command_line import user_message
from projects.false.common.errors import InputError


def build(model: nn.Module, **changes):
    return build_optim_wrapper(
        model, {'type': 'AutocastOptimWrapper', 'optimizer': {'type': 'SGD', 'lr': 0.1}, **changes}
    )


@pytest.mark.parametrize('scope', ['mmengine', 'mmpretrain', 'mmseg'])
def test_forward_is_bfloat16_and_update_float32(scope: str) -> None:
    device = 'cuda' if torch.cuda.is_available() else 'cpu'
    model = nn.Linear(3, 2).to(device)
    with DefaultScope.overwrite_default_scope(scope):
        wrapper = build(model, dtype='bfloat16', clip_grad={'max_norm': 1.0})
    before = model.weight.detach().clone()
    with wrapper.optim_context(model):
        out = model(torch.ones(4, 3, device=device))
    assert out.dtype == torch.bfloat16
    assert not torch.is_autocast_enabled(device)
    wrapper.update_params(out.float().square().mean())
    assert model.weight.dtype == torch.float32
    assert not torch.equal(before, model.weight)


def test_accumulates_gradients() -> None:
    model = nn.Linear(3, 2)
    wrapper = build(model, accumulative_counts=2)
    before = model.weight.detach().clone()
    for changed in (False, True):
        with wrapper.optim_context(model):
            loss = model(torch.ones(4, 3)).float().mean()
        wrapper.update_params(loss)
        assert torch.equal(before, model.weight) is not changed


@pytest.mark.parametrize('dtype', ['float16', 'float32', None])
def test_other_types_are_an_error(dtype: str | None) -> None:
    with pytest.raises(InputError, match="must be 'bfloat16'") as caught:
        build(nn.Linear(1, 1), dtype=dtype)
    assert 'AmpOptimWrapper' in user_message(caught.value)
