import mmseg.models  # noqa: F401
import torch
from mmengine.registry import MODELS, init_default_scope

from projects.false.engine.channels_last_hook import to_channels_last


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
