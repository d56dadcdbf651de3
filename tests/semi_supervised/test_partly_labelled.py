"""Unlabelled companions belong to the seed of their labelled patch, and patches kept apart are never trained on."""

import pytest
import torch
from mmengine.runner import Runner

from projects.false.common.errors import InputError
from projects.false.datasets.seeding import SampleIndex
from projects.false.patch_folder.packing import pack
from projects.false.semi_supervised import PartlyLabelledPatches

FLIP = dict(type='mmcv.RandomFlip', prob=0.5)
LABELLED = [dict(type='LoadPatch'), dict(type='LoadIndexMask'), FLIP, dict(type='mmseg.PackSegInputs')]


@pytest.fixture
def data(patches):
    """Build the data set of eight labelled patches: ``data(**changes)``."""

    def build(**changes):
        unlabelled = {'ann_file': '', 'pipeline': [dict(type='LoadPatch'), FLIP], **changes.pop('unlabelled', {})}
        settings = dict(data_root=str(patches('mbrsc', 32, 16)), ann_file='splits/train.txt', pipeline=LABELLED)
        return PartlyLabelledPatches('mbrsc', unlabelled=unlabelled, **{**settings, **changes})

    return build


def names(dataset):
    return {dataset.get_data_info(index)['img_path'] for index in range(len(dataset))}


def test_patches_kept_apart_are_never_trained_on(data):
    everything = names(data(kept_apart=0))
    dataset = data(kept_apart=0.25)
    apart = names(dataset.kept_apart)
    assert len(apart) == 2
    assert names(dataset) == everything - apart
    assert names(data(kept_apart=0.25).kept_apart) == apart
    assert names(data(kept_apart=0.25, kept_apart_seed=1).kept_apart) != apart
    assert dataset.kept_apart[0].keys() == {'inputs', 'data_samples'}


def test_the_same_with_packed_patches(data, patches):
    read = data()
    pack(patches('mbrsc', 32, 16))
    packed = data(packed=True, unlabelled=dict(packed=True))
    index = SampleIndex(3, (0, 1, 2))
    assert torch.equal(read[index]['unlabelled'], packed[index]['unlabelled'])
    assert len(packed.kept_apart) == len(read.kept_apart)


def test_companions_belong_to_the_seed(data):
    dataset = data()
    first, again, other = (dataset[SampleIndex(2, (0, 1, visit))] for visit in (5, 5, 6))
    for name in ('unlabelled', 'steps', 'boxes'):
        assert torch.equal(first[name], again[name])
    assert not torch.equal(first['steps'], other['steps'])
    assert first['unlabelled'].shape == (2, 3, 32, 32)
    assert first['unlabelled'].dtype == torch.uint8


def test_any_number_of_workers(data):
    batches = []
    for workers in (0, 2):
        settings = dict(batch_size=2, num_workers=workers, sampler=dict(type='SeededSampler', seed=3))
        batches.append(list(Runner.build_dataloader(dict(dataset=data(), **settings))))
    for one, other in zip(*batches, strict=True):
        for name in ('inputs', 'unlabelled', 'steps', 'boxes'):
            assert all(map(torch.equal, one[name], other[name]))


def test_rectangles_lie_inside(data):
    dataset = data(cutmix_prob=1)
    boxes = torch.cat([dataset[SampleIndex(index, (0, 0, index))]['boxes'] for index in range(len(dataset))])
    sides = boxes[:, 2:] - boxes[:, :2]
    assert boxes.min() >= 0
    assert boxes.max() <= 32
    assert sides.min() >= 8
    assert sides.max() <= 24
    assert not data(cutmix_prob=0)[0]['boxes'].any()


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        (dict(companions=0), 'companions of PartlyLabelledPatches must be an integer of at least 1'),
        (dict(companions=1), 'cutmix_prob is 0.5 with 1 companions; give at least 2, or cutmix_prob=0'),
        (dict(companions=40), r'16 unlabelled patches in .* are fewer than companions, 40'),
        (dict(kept_apart=0.99), 'keeps 8 of 8 labelled patches and leaves none to train on'),
        (dict(kept_apart=2), r'kept_apart of PartlyLabelledPatches must be in \[0, 1\]'),
        (dict(cutmix_prob='a'), r'cutmix_prob of PartlyLabelledPatches must be in \[0, 1\]'),
    ],
)
def test_bad_input(data, changes, message):
    with pytest.raises(InputError, match=message):
        data(**changes)


def test_weak_views_of_several_sizes(data):
    resize = dict(type='mmcv.RandomResize', scale=(32, 32), ratio_range=(0.5, 2.0))
    dataset = data(unlabelled=dict(pipeline=[dict(type='LoadPatch'), resize]))
    with pytest.raises(InputError, match=r'have the sizes .*pipeline with RandomCrop or Resize'):
        dataset[SampleIndex(0, (0, 0, 0))]
