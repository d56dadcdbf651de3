from types import SimpleNamespace

import mmseg.models  # noqa: F401
import pytest
import torch
from mmengine.model import MMDistributedDataParallel
from mmengine.optim import build_optim_wrapper
from mmengine.registry import MODELS, DefaultScope, init_default_scope
from torch import nn

import projects.false.engine.precision  # noqa: F401
from projects.false.common.command_line import user_message
from projects.false.common.errors import InputError
from projects.false.engine.precision import ChannelsLastHook, in_channels_last, to_channels_last


class Wrapper(MMDistributedDataParallel):
    """A wrapper that needs no process group."""

    def __init__(self, model):
        torch.nn.Module.__init__(self)
        self.module = model


class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.backbone = MODELS.build(dict(type='ResNet', depth=18))


def test_same_features_in_another_memory_format():
    init_default_scope('mmseg')
    torch.manual_seed(0)
    model = Model().eval()
    images = torch.randn(2, 3, 64, 64)
    before = model.backbone(images)
    to_channels_last(model)
    after = model.backbone(images)
    assert model.backbone.conv1.weight.is_contiguous(memory_format=torch.channels_last)
    assert after[-1].is_contiguous(memory_format=torch.channels_last)
    for one, other in zip(before, after, strict=True):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)


def test_copies_of_the_backbone_are_converted_once():
    init_default_scope('mmseg')
    model = Model()
    model.key_encoder = torch.nn.Sequential(Model().backbone)
    for _ in range(2):
        to_channels_last(model)
    assert [len(module._forward_pre_hooks) for module in (model.backbone, model.key_encoder[0])] == [1, 1]


def test_wrapped_model_is_left_alone():
    """Gradients of a model that changes its layout after DistributedDataParallel wrapped it are wrong."""
    init_default_scope('mmseg')
    messages = []
    runner = SimpleNamespace(model=Wrapper(Model()), logger=SimpleNamespace(warning=messages.append))
    ChannelsLastHook().before_run(runner)
    assert not in_channels_last(runner.model.module)
    assert not runner.model.module.backbone.conv1.weight.is_contiguous(memory_format=torch.channels_last)
    assert 'FALSERunner' in messages[0]
    to_channels_last(runner.model.module)
    ChannelsLastHook().before_run(runner)
    assert len(messages) == 1


def build(model: nn.Module, **changes):
    return build_optim_wrapper(
        model, {'type': 'AutocastOptimWrapper', 'optimizer': {'type': 'SGD', 'lr': 0.1}, **changes}
    )


@pytest.mark.parametrize('scope', ['mmengine', 'mmpretrain', 'mmseg'])
def test_forward_is_bfloat16_and_update_float32(scope: str, monkeypatch) -> None:
    monkeypatch.setattr('projects.false.engine.precision.cpu_has_bfloat16', lambda: True)
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


@pytest.mark.skipif(torch.cuda.is_available(), reason='a GPU without bfloat16 is an error')
def test_a_cpu_without_bfloat16_trains_in_float32(monkeypatch) -> None:
    monkeypatch.setattr('projects.false.engine.precision.cpu_has_bfloat16', lambda: False)
    messages = []
    monkeypatch.setattr('projects.false.engine.precision.print_log', lambda text, logger: messages.append(text))
    model = nn.Linear(3, 2)
    with build(model).optim_context(model):
        assert model(torch.ones(4, 3)).dtype == torch.float32
    assert messages == ['this CPU has no bfloat16 arithmetic: training in float32, which is faster here']


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
