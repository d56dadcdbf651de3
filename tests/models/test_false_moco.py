from types import SimpleNamespace

import pytest
import torch
from mmengine.registry import MODELS, init_default_scope
from mmengine.structures import InstanceData

from projects.false import FALSELoss, FALSEMoCo, InputError, NTXentLoss
from projects.false.models.false_moco import image_indices


def config(loss='NTXentLoss', **changes):
    return dict(
        type='FALSEMoCo',
        backbone=dict(type='ResNet', depth=18, norm_eval=changes.pop('norm_eval', False)),
        neck=dict(type='FALSENeck', in_channels=512, hid_channels=16, out_channels=8),
        head=dict(type='FALSEHead', loss=dict(type=loss, temperature=0.2)),
        **{'queue_len': 8, 'feat_dim': 8, **changes},
    )


def samples(*indices):
    return [SimpleNamespace(sample_idx=index) for index in indices]


def views(count=4, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(count, 3, 32, 32, generator=generator) for _ in range(2)]


@pytest.fixture(params=['mmpretrain', 'mmseg'])
def scope(request):
    __import__(f'{request.param}.models')
    init_default_scope(request.param)
    torch.manual_seed(0)
    return request.param


@pytest.fixture
def mmpretrain():
    import mmpretrain.models  # noqa: F401

    init_default_scope('mmpretrain')
    torch.manual_seed(0)


def test_parts_come_from_the_current_scope(scope):
    model = MODELS.build(config('FALSELoss'))
    assert isinstance(model, FALSEMoCo)
    for backbone in (model.backbone, model.key_encoder.module[0]):
        assert type(backbone).__module__.startswith(f'{scope}.')
    assert isinstance(model.head.loss_module, FALSELoss)


@pytest.mark.usefixtures('mmpretrain')
def test_false_and_moco_differ_in_the_head_alone():
    names = [list(MODELS.build(config(loss)).state_dict()) for loss in ('FALSELoss', 'NTXentLoss')]
    assert names[0] == names[1]


@pytest.mark.usefixtures('mmpretrain')
def test_loss_is_info_nce_over_the_other_images_keys():
    """With frozen statistics the keys do not depend on their group: written out by hand over three steps."""
    model = MODELS.build(config(norm_eval=True, momentum=0.5)).train()
    optimizer = torch.optim.SGD(model.parameters(), 0.05)
    past_keys, past_images = torch.zeros(0, 8), []
    weight = model.key_encoder.module[1].project.weight
    average = None
    for step, images in enumerate([(0, 1, 2, 3), (4, 0, 5, 6), (7, 8, 9, 4)]):
        batch = views(seed=step)
        now = model.neck.project.weight.detach().clone()
        average = now if average is None else average.lerp(now, 0.5)
        loss = model(batch, samples(*images), mode='loss')['loss']
        torch.testing.assert_close(weight, average)
        with torch.no_grad():
            query = torch.nn.functional.normalize(model(batch[0], mode='predict'))
            key = torch.nn.functional.normalize(model.key_encoder(batch[1]))
        terms = []
        for row, image in enumerate(images):
            others = [past_keys[place] for place, owner in enumerate(past_images) if owner != image]
            logits = torch.stack([query[row] @ other for other in (key[row], *others)]) / 0.2
            terms.append(logits.logsumexp(0) - logits[0])
        torch.testing.assert_close(loss, torch.stack(terms).mean())
        past_keys, past_images = torch.cat([past_keys, key])[-8:], [*past_images, *images][-8:]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert set(model.queue.image_indices.tolist()) == {4, 0, 5, 6, 7, 8, 9}


@pytest.mark.usefixtures('mmpretrain')
def test_first_step_has_no_negatives_and_no_loss():
    model = MODELS.build(config('FALSELoss'))
    losses = model(views(), samples(0, 1, 2, 3), mode='loss')
    losses['loss'].backward()
    assert losses['loss'] == 0
    assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)


@pytest.mark.usefixtures('mmpretrain')
def test_gradient_reaches_queries_alone():
    model = MODELS.build(config('FALSELoss'))
    for step in range(2):
        loss = model(views(seed=step), samples(*range(4 * step, 4 * step + 4)), mode='loss')['loss']
    loss.backward()
    assert model.backbone.conv1.weight.grad.abs().sum() > 0
    assert not any(parameter.requires_grad for parameter in model.key_encoder.parameters())
    assert all(buffer.grad is None for buffer in model.queue.buffers())


@pytest.mark.usefixtures('mmpretrain')
@pytest.mark.parametrize('determination', ['released', 'mutual'])
def test_determination_that_has_no_meaning_with_a_queue(determination):
    made = config('FALSELoss')
    made['head']['loss']['determination'] = determination
    with pytest.raises(InputError, match='choose anchor_nearest'):
        MODELS.build(made)


@pytest.mark.usefixtures('mmpretrain')
def test_plain_moco_and_false_agree_without_confidence():
    losses = []
    for loss in (dict(type='NTXentLoss'), dict(type='FALSELoss', confidence_weight=0.0)):
        torch.manual_seed(0)
        made = config()
        made['head']['loss'] = {'temperature': 0.2, **loss}
        model = MODELS.build(made)
        losses.append([model(views(seed=s), samples(*range(s, s + 4)), mode='loss')['loss'].item() for s in range(3)])
    assert losses[0] == losses[1]
    assert losses[0][2] > 0
    assert isinstance(model.head.loss_module, FALSELoss)
    assert not isinstance(model.head.loss_module, NTXentLoss)


@pytest.mark.parametrize(
    ('changes', 'text'),
    [
        ({'queue_len': 0}, r'queue_len \(K\) of FALSEMoCo must be a positive integer, got 0'),
        ({'feat_dim': 1.5}, r'feat_dim \(D\)'),
        ({'momentum': 1}, 'momentum of FALSEMoCo'),
        ({'momentum': 0}, 'momentum of FALSEMoCo'),
        ({'key_splits': 0}, 'key_splits of FALSEMoCo'),
    ],
)
@pytest.mark.usefixtures('mmpretrain')
def test_arguments_out_of_range(changes, text):
    with pytest.raises(InputError, match=text):
        FALSEMoCo(**{key: value for key, value in config(**changes).items() if key != 'type'})


@pytest.mark.parametrize('given', [None, [], samples(1, 2, 3), [SimpleNamespace(), SimpleNamespace()]])
def test_images_without_an_index(given):
    with pytest.raises(InputError, match="meta_keys hold 'sample_idx'"):
        image_indices(given, 2)


def test_image_indices():
    assert image_indices(samples(3, 1), 2).tolist() == [3, 1]
    assert image_indices(samples(InstanceData(value=torch.tensor([3]))), 1).tolist() == [3]  # as mmselfsup packs it
