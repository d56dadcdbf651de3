import pytest
import torch
from mmengine.registry import MODELS, init_default_scope

from projects.false import FALSE, FALSEHead, FALSELoss, FALSENeck, InputError, NTXentLoss


def config(**head):
    return dict(
        type='FALSE',
        data_preprocessor=dict(type='ViewPreprocessor', mean=[1.0, 2.0, 3.0], std=[2.0, 4.0, 8.0]),
        backbone=dict(type='ResNet', depth=18),
        neck=dict(type='FALSENeck', in_channels=512, hid_channels=16, out_channels=8),
        head=dict(type='FALSEHead', loss=head or dict(type='FALSELoss')),
    )


@pytest.fixture(params=['mmpretrain', 'mmseg'])
def scope(request):
    __import__(f'{request.param}.models')
    init_default_scope(request.param)
    return request.param


def test_parts_come_from_the_current_scope(scope):
    model = MODELS.build(config())
    assert isinstance(model, FALSE)
    assert type(model.backbone).__module__.startswith(f'{scope}.')
    assert isinstance(model.head.loss_module, FALSELoss)


def test_three_modes(scope):
    torch.manual_seed(0)
    model = MODELS.build(config(type='NTXentLoss')).eval()
    views = [torch.randn(4, 3, 32, 32) for _ in range(2)]
    features = model(views[0], mode='tensor')
    assert features[-1].shape == (4, 512, 1, 1)
    projections = [model(view, mode='predict') for view in views]
    assert projections[0].shape == (4, 8)
    torch.testing.assert_close(model(views, mode='loss')['loss'], NTXentLoss()(*projections))
    with pytest.raises(ValueError, match="'loss', 'predict' or 'tensor'"):
        model(views, mode='other')


def test_simclr_and_false_differ_in_the_head_alone(scope):
    names = [
        [name for name, _ in MODELS.build(config(type=loss)).named_parameters()] for loss in ('FALSELoss', 'NTXentLoss')
    ]
    assert names[0] == names[1]


def test_a_step_learns(scope):
    torch.manual_seed(0)
    model = MODELS.build(config())
    views = [torch.randn(4, 3, 32, 32) for _ in range(2)]
    optimizer = torch.optim.SGD(model.parameters(), 0.05)
    losses = []
    for _ in range(5):
        loss = model(views, mode='loss')['loss']
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]


def test_neck_with_and_without_relu():
    features = torch.randn(2, 6, 3, 3)
    linear = FALSENeck(6, 5, 4, relu=False)
    pooled = features.mean((2, 3))
    expected = linear.project(linear.hidden(pooled))
    torch.testing.assert_close(linear((torch.zeros(0), features)), expected)
    curved = FALSENeck(6, 5, 4)
    torch.testing.assert_close(curved(features), curved.project(curved.hidden(pooled).relu()))
    assert not any(isinstance(module, torch.nn.ReLU) for module in linear.modules())


def test_head_answers_to_both_names():
    head = FALSEHead(dict(type='NTXentLoss'))
    first, second = torch.randn(3, 4), torch.randn(3, 4)
    assert head(first, second)['loss'] == head.loss(first, second)['loss']


def test_preprocessor_swaps_channels_then_normalises():
    images = torch.arange(2 * 3 * 2 * 2, dtype=torch.uint8).view(2, 3, 2, 2)
    made = MODELS.build(dict(type='ViewPreprocessor', mean=[1.0, 2.0, 3.0], std=[2.0, 4.0, 8.0]))
    got = made({'inputs': [images, images], 'data_samples': None})['inputs']
    assert len(got) == 2
    for channel, (mean, std) in enumerate([(1, 2), (2, 4), (3, 8)]):
        torch.testing.assert_close(got[0][:, channel], (images[:, 2 - channel].float() - mean) / std)
    assert made({'inputs': images})['inputs'].shape == images.shape


@pytest.mark.parametrize('views', [[], [8], [8, 8, 8], [8, 16]])
def test_it_compares_two_views(scope, views):
    model = MODELS.build(config())
    with pytest.raises(InputError, match=f'two views of one size, got {len(views)} of shape .*num_views=2'):
        model([torch.zeros(2, 3, size, size) for size in views], mode='loss')
