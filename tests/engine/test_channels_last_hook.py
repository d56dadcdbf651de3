from types import SimpleNamespace

import mmseg.models  # noqa: F401
import torch
from mmengine.model import MMDistributedDataParallel
from mmengine.registry import MODELS, init_default_scope

from projects.false.engine.precision import ChannelsLastHook, in_channels_last, to_channels_last


class Wrapper(MMDistributedDataParallel):
    """Several processes are not needed to be wrapped."""

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
