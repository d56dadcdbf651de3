"""Rows and columns belong to the views they are said to belong to, with the real models and pipelines."""

from contextlib import nullcontext

import pytest
import torch
from mmengine.config import Config
from torch.nn.functional import normalize

from projects.false import InputError
from projects.false.datasets.loading import LoadIndexMask
from projects.false.datasets.view_labels import class_counts
from projects.false.pair_audit.replay import audited_batches, audited_comparisons, build_loader, build_model
from tests.helpers.tools import REPOSITORY


def small(recipe, **dataset):
    config = Config.fromfile(REPOSITORY / 'configs' / f'{recipe}.py')
    config.train_dataloader.update(batch_size=4, num_workers=0, persistent_workers=False)
    config.train_dataloader.dataset.pipeline[1].update(dataset)
    # Frozen statistics: the projection of a view does not depend on the batch that it is in.
    config.model.backbone.update(norm_eval=True, stem_channels=8, base_channels=8)
    config.model.neck.update(in_channels=64, hid_channels=16)
    if 'queue_len' in config.model:
        config.model.queue_len = 8
    return config


@pytest.mark.parametrize('color_on', ['loader', 'device'])
@pytest.mark.parametrize('recipe', ['false_simclr_r18_mbrsc', 'mocov2_r18_mbrsc'])
def test_projections_and_labels_are_those_of_the_views(recipe, color_on, patches):
    config, data = small(recipe, color_on=color_on), str(patches('mbrsc', 64, 24))
    loader, model = build_loader(config, data, 'splits/train.txt', 'view', seed=3), build_model(config, seed=3)
    before = {name: value.clone() for name, value in model.named_parameters()}
    found = list(audited_comparisons(model, audited_batches(loader, 6), nullcontext))
    assert len(found) == (6 if model.__class__.__name__ == 'FALSE' else 4)  # two batches fill the queue
    encode = {'rows': torch.nn.Sequential(model.backbone, model.neck)}
    encode['columns'] = encode['rows'] if len(found) == 6 else model.key_encoder
    dataset = loader.dataset
    read_mask = next(step for step in dataset.pipeline.transforms if isinstance(step, LoadIndexMask))
    for audited in found:
        for name, classes in (('rows', audited.row_classes), ('columns', audited.column_classes)):
            views, projected = getattr(audited, name), getattr(audited.comparison, name)
            assert len(views) == len(projected) == len(classes)
            for (visit, number), projection, counts in zip(views, projected, classes, strict=True):
                packed = dataset[visit]
                batch = [part[None] for part in packed['inputs']]
                with torch.no_grad():
                    seen = model.data_preprocessor({'inputs': batch}, True)['inputs'][number]
                    again = normalize(encode[name](seen), dim=1)[0]
                torch.testing.assert_close(again, projection, atol=1e-4, rtol=1e-4)
                top, left, height, width = packed['data_samples'].view_windows[number]
                entry = read_mask(dataset.pipeline.transforms[0](dataset.get_data_info(visit)))
                pixels = entry['gt_seg_map'][top : top + height, left : left + width]
                assert counts.tolist() == class_counts(pixels, 5).tolist()
    assert all(torch.equal(value, before[name]) for name, value in model.named_parameters())


def test_batches_are_those_of_training(patches):
    from mmengine.registry import init_default_scope
    from mmengine.runner import Runner

    config, data = small('false_simclr_r18_mbrsc'), str(patches('mbrsc', 64, 24))
    config.train_dataloader.dataset.update(data_root=data, ann_file='splits/train.txt')
    init_default_scope('mmpretrain')
    trained = Runner.build_dataloader(config.train_dataloader, seed=7)
    audited = build_loader(config, data, 'splits/train.txt', 'view', seed=7)
    trained.sampler.set_epoch(0)
    for one, other in zip(trained, audited_batches(audited, 3), strict=True):
        assert all(torch.equal(a, b) for a, b in zip(one['inputs'], other.data['inputs'], strict=True))
        assert [sample.sample_idx for sample in one['data_samples']] == list(map(int, other.visits))


def test_joined_data_sets_are_refused_by_their_name(patches):
    config, data = small('false_simclr_r18_mbrsc'), str(patches('mbrsc', 64, 24))
    parts = [dict(config.train_dataloader.dataset) for _ in range(2)]
    config.train_dataloader.dataset = dict(type='ConcatDataset', datasets=parts)
    text = r'false_simclr_r18_mbrsc\.py: joins 2 data sets, .* give a recipe whose train_dataloader\.dataset is one'
    with pytest.raises(InputError, match=text):
        build_loader(config, data, 'splits/train.txt', 'view', seed=3)
