"""Unlabelled companions belong to the seed of their labelled patch, and patches kept apart are never trained on."""

import shutil

import cv2
import numpy as np
import pytest
import torch
from mmengine.runner import Runner

from projects.false.common.errors import InputError
from projects.false.common.random_state import seeded
from projects.false.datasets.seeding import SampleIndex
from projects.false.imagery.images import write_patch
from projects.false.patch_folder.packing import pack
from projects.false.semi_supervised import PartlyLabelledPatches
from projects.false.semi_supervised.partly_labelled import draw_distinct

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


def test_patches_kept_apart_hold_a_label(data, patches, tmp_path):
    """Unlike windows that were chosen for labelling and left for later."""
    root = shutil.copytree(patches('mbrsc', 32, 16), tmp_path / 'data')
    for path in names(data(kept_apart=0.25, data_root=str(root)).kept_apart):
        cv2.imwrite(path.replace('/images/', '/masks/'), np.full((32, 32), 255, np.uint8))
    with pytest.raises(InputError, match=r'keeps 2 of 8 labelled patches, and none of them has a labelled pixel; give'):
        data(kept_apart=0.25, data_root=str(root))
    assert data(kept_apart=0.25, kept_apart_seed=1, data_root=str(root)).kept_apart is not None


def test_the_same_with_packed_patches(data, patches):
    read = data()
    pack(patches('mbrsc', 32, 16))
    packed = data(packed=True)
    assert packed.unlabelled.packed is True
    assert data(packed=True, unlabelled=dict(packed=False)).unlabelled.packed is False
    index = SampleIndex(3, (0, 1, 2))
    assert torch.equal(read[index]['unlabelled'], packed[index]['unlabelled'])
    assert len(packed.kept_apart) == len(read.kept_apart)


def test_other_data_need_not_be_packed(data, patches):
    pack(patches('mbrsc', 32, 16))
    other = patches('synthetic', 32, 16)
    assert data(packed=True, unlabelled=dict(data_root=str(other))).unlabelled.packed is False


def test_unlabelled_patches_may_be_unreadable_as_labelled_ones_may(data, patches, tmp_path):
    folder = shutil.copytree(patches('mbrsc', 32, 16), tmp_path / 'data')
    labelled = (folder / 'splits' / 'train.txt').read_text().split()
    for image in (folder / 'images').iterdir():
        if image.stem not in labelled:
            image.write_bytes(b'x')
    dataset = data(data_root=str(folder), max_unreadable=9)
    for index in range(len(dataset)):
        assert dataset[SampleIndex(index, (0, 0, index))]['unlabelled'].shape == (2, 3, 32, 32)
    assert dataset.unlabelled.unreadable
    assert data(max_unreadable=9, unlabelled=dict(max_unreadable=2)).unlabelled.max_unreadable == 2


@pytest.mark.parametrize('view_size', [None, 16])
def test_any_number_of_bands(view_size, patches, tmp_path):
    folder = shutil.copytree(patches('mbrsc', 32, 16), tmp_path / 'data')
    for image in list((folder / 'images').iterdir()):
        pixels = cv2.imread(str(image))
        write_patch(image.with_suffix(''), np.dstack([pixels, pixels[..., 0]]))
        image.unlink()
    steps = [dict(type='LoadPatch', bands=4), *LABELLED[1:]]
    dataset = PartlyLabelledPatches(
        'mbrsc',
        str(folder),
        ann_file='splits/train.txt',
        pipeline=steps,
        view_size=view_size,
        unlabelled=dict(ann_file=''),
    )
    views = dataset[SampleIndex(0, (0, 0, 0))]['unlabelled']
    assert views.shape == (2, 4, view_size or 32, view_size or 32)
    assert torch.equal(views[:, 0], views[:, 3])
    assert dataset.kept_apart[0]['inputs'].shape == (4, 32, 32)


def test_companions_differ_and_are_drawn_by_the_seed():
    with seeded((0, 1)):
        drawn = [draw_distinct(4, 3) for _ in range(300)]
    with seeded((0, 1)):
        assert [draw_distinct(4, 3) for _ in range(300)] == drawn
    assert {len(set(numbers)) for numbers in drawn} == {3}
    assert len(set(map(tuple, drawn))) == 4 * 3 * 2
    assert sorted(draw_distinct(5, 5)) == list(range(5))
    assert len(set(draw_distinct(10**12, 2))) == 2  # takes no list of all


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
