from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.registry import MODELS, init_default_scope
from mmengine.structures import InstanceData
from torch import distributed, nn

from projects.false import FALSELoss, FALSEMoCo, InputError, NTXentLoss
from projects.false.models.false_moco import KeyQueue, MomentumEncoder, draw_order, encode_shuffled, image_indices
from tests.helpers.processes import run_processes


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


def evident(rule, field, indices, shares):
    """A model that reads shares of kinds, and the samples of a batch that have them."""
    made = config('FALSELoss', queue_kinds=2)
    made['head']['loss'].update(determination=dict(type=rule, overlap=0.5), positive_threshold=-1.0)
    model = MODELS.build(made)
    pairs = [SimpleNamespace(sample_idx=index, **{field: share}) for index, share in zip(indices, shares, strict=True)]
    return model, pairs


@pytest.mark.usefixtures('mmpretrain')
@pytest.mark.parametrize(('rule', 'field'), [('evidence', 'evidence'), ('oracle', 'land_cover')])
def test_queries_meet_the_keys_that_show_the_same(rule, field):
    grass, sand = np.float32([1, 0]), np.float32([0, 1])
    model, batch = evident(rule, field, range(4), [(grass, sand), (grass, sand), (sand, sand), (sand, grass)])
    first = model(views(4), batch, mode='loss')
    assert first['pairs_per_anchor'] == 0  # the queue is empty
    assert model.queue.known[:4].tolist() == [[0, 1], [0, 1], [0, 1], [1, 0]]  # of the keys, second views
    later = [SimpleNamespace(sample_idx=index, **{field: (grass, sand)}) for index in (3, 8, 9, 10)]
    second = model(views(4, seed=1), later, mode='loss')
    # Each query shows grass as the key of image 3 does; the query of image 3 itself must not meet it.
    assert second['pairs_per_anchor'].item() == pytest.approx(3 / 4)


@pytest.mark.usefixtures('mmpretrain')
def test_evidence_that_is_absent_or_does_not_fit():
    made = config('FALSELoss')
    made['head']['loss']['determination'] = 'evidence'
    with pytest.raises(InputError, match=r'reads evidence, .*set model.queue_kinds, now 0'):
        MODELS.build(made)
    with pytest.raises(InputError, match='queue_kinds of FALSEMoCo must be an integer'):
        MODELS.build(config('FALSELoss', queue_kinds=-1))
    model, _ = evident('evidence', 'evidence', [], [])
    with pytest.raises(InputError, match=r'2 shares of each .* and got nothing'):
        model(views(2), samples(0, 1), mode='loss')
    _, wide = evident('evidence', 'evidence', [0, 1], [np.ones((2, 3), np.float32) / 3] * 2)
    with pytest.raises(InputError, match=r'got shape \(3,\)'):
        model(views(2), wide, mode='loss')


@pytest.mark.usefixtures('mmpretrain')
def test_the_queue_remembers_all_that_the_rules_read():
    made = config('FALSELoss', queue_kinds=2)
    rules = [dict(type='evidence', overlap=0.5), dict(type='other_place', distance=8)]
    made['head']['loss'].update(determination=dict(type='all_of', rules=rules), positive_threshold=-1.0)
    model = MODELS.build(made)
    grass, sand = np.float32([1, 0]), np.float32([0, 1])

    def batch(indices, shown, rasters):
        places = [np.float32([[raster, 0, 0, 9, 9]] * 2) for raster in rasters]
        return [
            SimpleNamespace(sample_idx=index, evidence=(shares, shares), place=place)
            for index, shares, place in zip(indices, shown, places, strict=True)
        ]

    model(views(4), batch(range(4), [grass, grass, sand, sand], [0, 1, 2, 3]), mode='loss')
    assert model.queue.known[:2].tolist() == [[1, 0, 0, 0, 0, 9, 9], [1, 0, 1, 0, 0, 9, 9]]
    found = model(views(4, seed=1), batch(range(4, 8), [grass] * 4, [0, 0, 7, 7]), mode='loss')
    assert found['pairs_per_anchor'].item() == pytest.approx((1 + 1 + 2 + 2) / 4)
    nothing = [SimpleNamespace(sample_idx=index, evidence=(grass, sand)) for index in range(2)]
    with pytest.raises(InputError, match=r'reads place of both views, 5 numbers, .* place, and got nothing; put the'):
        model(views(2), nothing, mode='loss')
    made['head']['loss']['determination'] = 'nearest_features'
    with pytest.raises(InputError, match='which a queue does not remember; choose topk for FALSEMoCo'):
        MODELS.build(made)


@pytest.mark.usefixtures('mmpretrain')
def test_one_label_per_image_is_remembered_as_well():
    model, batch = evident('oracle', 'land_cover', range(4), [0, 0, 1, -3])
    model(views(4), batch, mode='loss')
    assert model.queue.known[:4].tolist() == [[1, 0], [1, 0], [0, 1], [0, 0]]
    _, later = evident('oracle', 'land_cover', range(4, 8), [0, 1, -1, -2])
    assert model(views(4, seed=1), later, mode='loss')['pairs_per_anchor'].item() == pytest.approx(3 / 4)
    _, other = evident('oracle', 'land_cover', [0, 1], [2, 0])
    with pytest.raises(InputError, match=r'label 2 and the queue remembers 2 kinds; set model\.queue_kinds'):
        model(views(2), other, mode='loss')


@pytest.mark.usefixtures('mmpretrain')
def test_three_views_are_one_too_many():
    with pytest.raises(InputError, match='two views of one size, got 3'):
        MODELS.build(config())([*views(), views()[0]], samples(0, 1, 2, 3), mode='loss')


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
        ({'queue_len': 0}, r'queue_len \(K\) of FALSEMoCo must be an integer of at least 1, got 0'),
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


CPU = torch.device('cpu')


def images(count=8):
    return torch.arange(count, dtype=torch.float32).view(count, 1, 1, 1)


def test_every_image_gets_its_own_projection():
    own, everybody = encode_shuffled(lambda part: part.flatten(1) * 10, images(), draw_order(8, CPU), 4)
    assert own.flatten().tolist() == [0, 10, 20, 30, 40, 50, 60, 70]
    assert torch.equal(own, everybody)


def test_sub_batches_are_shuffled_and_at_least_two():
    sizes, seen = [], []

    def encode(part):
        sizes.append(len(part))
        seen.extend(part.flatten().int().tolist())
        return part.flatten(1)

    torch.manual_seed(1)
    encode_shuffled(encode, images(7), draw_order(7, CPU), 8)
    assert sorted(sizes) == [2, 2, 3]
    assert sorted(seen) == list(range(7))
    assert seen != list(range(7))
    sizes.clear()
    encode_shuffled(encode, images(1), draw_order(1, CPU), 8)
    assert sizes == [1]


def test_batch_statistics_are_those_of_sub_batches():
    """A key normalised with a quarter of the batch differs from one normalised with all of it."""
    norm = nn.BatchNorm2d(1).train()
    own, _ = encode_shuffled(lambda part: norm(part).flatten(1), images(), torch.arange(8), 4)
    torch.testing.assert_close(own.flatten(), torch.tensor([-1.0, 1.0]).repeat(4), atol=1e-3, rtol=0)


def one_of_two(rank, folder):
    distributed.init_process_group('gloo', init_method=f'file://{folder}/rendezvous', rank=rank, world_size=2)
    torch.manual_seed(rank)  # what the second process draws must not matter
    order = draw_order(4, CPU)
    norm = nn.BatchNorm2d(1).train()
    mine = images()[4 * rank : 4 * rank + 4] ** 2
    own, everybody = encode_shuffled(lambda part: norm(part).flatten(1), mine, order, 8)
    torch.save([order, own, everybody], f'{folder}/{rank}.pt')
    distributed.destroy_process_group()


def test_two_processes_normalise_with_one_anothers_images(tmp_path):
    run_processes(one_of_two, str(tmp_path), count=2)
    (order, *first), (order2, *second) = (torch.load(tmp_path / f'{rank}.pt') for rank in (0, 1))
    assert torch.equal(order, order2)
    assert set(order[:4].tolist()) not in ({0, 1, 2, 3}, {4, 5, 6, 7})
    expected = torch.empty(8, 1)
    for group in (order[:4], order[4:]):
        values = images()[group].flatten(1) ** 2
        expected[group] = (values - values.mean()) / (values.var(unbiased=False) + 1e-5).sqrt()
    assert torch.equal(first[1], second[1])
    torch.testing.assert_close(first[1], expected)
    torch.testing.assert_close(torch.cat([first[0], second[0]]), expected)


def keys(*values):
    return torch.tensor(values, dtype=torch.float32)[:, None] * torch.tensor([[3.0, 4.0]])


def test_the_oldest_are_replaced_first():
    queue = KeyQueue(4, 2)
    queue.enqueue(keys(1, 1, 1), torch.tensor([10, 11, 12]))
    queue.enqueue(keys(-1, -1), torch.tensor([13, 14]))
    assert queue.image_indices.tolist() == [14, 11, 12, 13]
    torch.testing.assert_close(queue.keys, torch.tensor([[-0.6, -0.8], [0.6, 0.8], [0.6, 0.8], [-0.6, -0.8]]))
    assert queue.pointer.tolist() == [1]


def test_own_images_and_empty_places_are_excluded():
    queue = KeyQueue(4, 2)
    queue.enqueue(keys(1, 2, 3), torch.tensor([7, 8, 7]))
    excluded = queue.excluded(torch.tensor([7, 8, 9]))
    assert excluded.tolist() == [
        [True, False, True, True],
        [False, True, False, True],
        [False, False, False, True],
    ]


def test_everything_is_in_the_state():
    queue, copy = KeyQueue(3, 2), KeyQueue(3, 2)
    queue.enqueue(keys(1, 2), torch.tensor([5, 6]))
    copy.load_state_dict(queue.state_dict())
    for one in (queue, copy):
        one.enqueue(keys(3, 4), torch.tensor([7, 8]))
    assert all(torch.equal(a, b) for a, b in zip(queue.buffers(), copy.buffers(), strict=True))
    assert copy.image_indices.tolist() == [8, 6, 7]


def test_what_is_known_of_keys_stays_beside_them():
    queue = KeyQueue(3, 2, kinds=2)
    queue.enqueue(keys(1, 2), torch.tensor([5, 6]), torch.tensor([[1.0, 0.0], [0.5, 0.5]]))
    queue.enqueue(keys(3, 4), torch.tensor([7, 8]), torch.tensor([[0.25, 0.75], [0.0, 1.0]]))
    assert queue.image_indices.tolist() == [8, 6, 7]
    assert queue.known.tolist() == [[0.0, 1.0], [0.5, 0.5], [0.25, 0.75]]
    copy = KeyQueue(3, 2, kinds=2)
    copy.load_state_dict(queue.state_dict())
    assert torch.equal(copy.known, queue.known)
    assert 'known' not in KeyQueue(3, 2).state_dict()


def test_half_precision_keys_are_stored_in_full():
    queue = KeyQueue(2, 2)
    queue.enqueue(keys(100).half(), torch.tensor([0]))
    torch.testing.assert_close(queue.keys[0], torch.tensor([0.6, 0.8]), atol=1e-3, rtol=0)
    assert queue.keys.dtype == torch.float32


def test_more_keys_than_places():
    with pytest.raises(InputError, match='queue_len 2 is smaller than the global batch of 3'):
        KeyQueue(2, 2).enqueue(keys(1, 2, 3), torch.tensor([0, 1, 2]))


def moved(encoder, value):
    with torch.no_grad():
        for parameter in encoder.parameters():
            parameter.fill_(value)
    return encoder


def test_it_copies_first_and_follows_then():
    query = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4))
    key = MomentumEncoder(query, 0.25)
    key.update(moved(query, 4.0))
    assert all((parameter == 4).all() for parameter in key.parameters())
    key.update(moved(query, 8.0))
    assert all((parameter == 5).all() for parameter in key.parameters())
    assert not any(parameter.requires_grad for parameter in key.parameters())


def test_statistics_are_its_own():
    query = nn.BatchNorm2d(1)
    key = MomentumEncoder(query, 0.5)
    key.update(query)
    key.train()(torch.full((4, 1, 2, 2), 10.0))
    key.update(query)
    assert key.module.running_mean == 1
    assert query.running_mean == 0


def test_a_resumed_one_goes_on_following():
    query = nn.Linear(2, 2)
    key = MomentumEncoder(query, 0.5)
    key.update(moved(query, 2.0))
    resumed = MomentumEncoder(query, 0.5)
    resumed.load_state_dict(key.state_dict())
    resumed.update(moved(query, 4.0))
    assert all((parameter == 3).all() for parameter in resumed.parameters())


def test_loading_the_query_encoder_alone_leaves_the_copy_to_the_first_update():
    model = nn.Module()
    model.backbone = nn.Linear(2, 2)
    model.key_encoder = MomentumEncoder(model.backbone, 0.5)
    weights = {f'backbone.{name}': torch.full_like(value, 7.0) for name, value in model.backbone.state_dict().items()}
    model.load_state_dict(weights, strict=False)
    model.key_encoder.update(model.backbone)
    assert all((parameter == 7).all() for parameter in model.key_encoder.parameters())
