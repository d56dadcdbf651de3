import shutil
from contextlib import nullcontext
from types import SimpleNamespace

import mmpretrain.models
import mmseg.models
import numpy as np
import pytest
from mmengine.dataset import ConcatDataset, RepeatDataset
from mmseg.models import SegDataPreProcessor
from PIL import Image
from torch import nn

from projects.false import FALSELoss, InputError, NTXentLoss
from projects.false.datasets import RasterWindows, ViewAppearance, ViewMaps, ViewPlace
from projects.false.datasets.land_cover import LandCoverPatches
from projects.false.engine.start_checks import (
    check_batches,
    check_channels,
    check_classes,
    check_evidence,
    check_ignored,
    check_labels,
    check_negatives,
    check_padding,
    check_queue,
    check_trained,
    different_images,
)
from projects.false.losses import build_determination
from projects.false.models import FALSENeck


def test_not_one_full_batch():
    check_batches(images=64, batch_size=64, batches=1)
    with pytest.raises(InputError, match='10 images do not fill one batch of 64'):
        check_batches(images=10, batch_size=64, batches=0)


def test_classes_of_model_and_data():
    check_classes({'decode_head': 2}, ['field', 'water'])
    check_classes({}, [])
    with pytest.raises(InputError, match=r'model\.auxiliary_head\.num_classes is 3, the data has 2 classes \(a, b\)'):
        check_classes({'decode_head': 2, 'auxiliary_head': 3}, ['a', 'b'])
    check_classes({}, ['field'])
    with pytest.raises(InputError, match=r'the data has one class \(field\), .*; convert the data with a second class'):
        check_classes({'decode_head': 1}, ['field'])


def network(channels, **parts):
    """A model as the check reads it: ``channels`` of the maps of its backbone, and heads or a neck."""
    model = nn.Module()
    model.backbone = nn.Module()
    model.backbone.channels = channels
    for name, part in parts.items():
        setattr(model, name, part)
    return model


def head(in_index, in_channels):
    part = nn.Module()
    part.in_index, part.in_channels = in_index, in_channels
    return part


def test_heads_that_read_other_channels_than_the_backbone_gives():
    given = (24, 40, 112, 320)
    check_channels(network(given, decode_head=head([0, 3], [24, 320]), auxiliary_head=head(2, 112)))
    check_channels(network(None, decode_head=head([0, 1], [64, 128])))  # a backbone that does not say what it gives
    with pytest.raises(InputError, match=r'decode_head\.in_channels is \[64, 512\].*in_channels=\[24, 320\]'):
        check_channels(network(given, decode_head=head([0, 3], [64, 512])))
    with pytest.raises(InputError, match=r'set model\.auxiliary_head\.in_channels=112'):
        check_channels(network(given, auxiliary_head=head(2, 256)))
    check_channels(network(given, neck=FALSENeck(320)))
    with pytest.raises(InputError, match=r'in_channels is 512.*has 320 channels; set model\.neck\.in_channels=320'):
        check_channels(network(given, neck=FALSENeck(512)))


@pytest.mark.parametrize('library', [mmpretrain.models, mmseg.models])
@pytest.mark.parametrize(
    ('depth', 'out_indices', 'given'),
    [(18, (0, 1, 2, 3), [64, 128, 256, 512]), (50, (1, 3), [512, 2048])],
)
def test_the_channels_of_a_resnet_follow_its_depth(library, depth, out_indices, given):
    model = network(None)
    model.backbone = library.ResNet(depth, out_indices=out_indices)
    model.decode_head = head(list(range(len(given))), given)
    check_channels(model)
    model.decode_head = head(list(range(len(given))), [2 * number for number in given])
    with pytest.raises(InputError, match=rf'but ResNet has the channels .*in_channels=\{given}'):
        check_channels(model)
    del model.decode_head
    model.neck = FALSENeck(given[-1] // 2)
    with pytest.raises(InputError, match=rf'set model\.neck\.in_channels={given[-1]}'):
        check_channels(model)


@pytest.mark.parametrize(('in_index', 'in_channels'), [([0, 1, 2, 3], [40, 112, 320, 320]), (3, 320), (-4, 40)])
def test_heads_that_read_maps_that_the_backbone_does_not_give(in_index, in_channels):
    given = (40, 112, 320)
    check_channels(network(given, decode_head=head([0, -1], [40, 320])))
    with pytest.raises(InputError) as caught:
        check_channels(network(given, decode_head=head(in_index, in_channels)))
    assert f'model.decode_head.in_index is {in_index}, but Module gives 3 map(s), 0 to 2; set ' in str(caught.value)


@pytest.mark.parametrize(
    ('queue_len', 'images', 'batch', 'message'),
    [
        (4096, 13824, 256, r'4096 is more than a quarter of the 13824 images.*set model\.queue_len=3328'),
        (3000, 13824, 256, r'3000 is no multiple of the global batch of 256 images; set model\.queue_len=3328'),
        (256, 900, 256, 'more than a quarter of the 900 images.*add images or lower'),
    ],
)
def test_queue_that_does_not_fit(queue_len, images, batch, message):
    with pytest.raises(InputError, match=message):
        check_queue(queue_len, images, batch)


def test_queue_that_fits():
    check_queue(3072, 13824, 256)
    check_queue(4, 16, 4)


def test_windows_count_once_however_often_they_come(tmp_path):
    path = tmp_path / 'a.tif'
    Image.fromarray(np.zeros((64, 64, 3), np.uint8)).save(path)
    often = RasterWindows(str(path), 32, samples_per_epoch=4000, pipeline=[])
    seldom = RasterWindows(str(path), 32, stride=4, samples_per_epoch=5, pipeline=[])
    once = RasterWindows(str(path), 32, stride=4, pipeline=[])
    assert [different_images(data) for data in (often, seldom, once)] == [4, 81, 81]
    assert different_images(ConcatDataset([often, once])) == 85
    assert different_images(RepeatDataset(once, 4)) == different_images(ConcatDataset([once, once])) == 81
    assert different_images(RepeatDataset(dict(type='ConcatDataset', datasets=[often, once]), 3)) == 85
    assert different_images([0] * 7) == 7


EVIDENCE = dict(type='evidence')


@pytest.mark.parametrize(
    ('determination', 'steps', 'message'),
    [
        (EVIDENCE, [ViewAppearance()], None),
        (dict(type='evidence', compare='distance'), [ViewAppearance(code='quantiles')], None),
        (
            EVIDENCE,
            [ViewPlace(), ViewAppearance(code='quantiles')],
            r'ViewAppearance stores codes, which determination evidence would compare by overlap; '
            r'set model\.head\.loss\.determination\.compare=distance',
        ),
        (
            dict(type='evidence', compare='distance'),
            [ViewAppearance()],
            'stores shares, which determination evidence would compare by distance; .*compare=overlap',
        ),
        (dict(type='evidence', compare='distance'), [ViewMaps('maps', 3)], 'ViewMaps stores shares'),
        (
            dict(type='in_turn', rules=['topk', dict(type='all_of', rules=['topk', EVIDENCE])]),
            [ViewAppearance(code='quantiles')],
            'stores codes',
        ),
        ('topk', [ViewAppearance(code='quantiles')], None),
        ('oracle', [ViewAppearance(code='quantiles')], None),
        (EVIDENCE, [print], None),  # a step of the user's own
    ],
)
def test_evidence_that_would_be_compared_in_the_wrong_way(determination, steps, message):
    part = SimpleNamespace(pipeline=SimpleNamespace(transforms=steps))
    for dataset in (part, SimpleNamespace(datasets=[SimpleNamespace(), part])):
        with nullcontext() if message is None else pytest.raises(InputError, match=message):
            check_evidence(build_determination(determination), dataset)


@pytest.mark.parametrize(('loss', 'fits'), [(NTXentLoss(), True), (FALSELoss(gather=False), False), (None, True)])
def test_one_image_has_no_negatives(loss, fits):
    check_negatives(loss, per_process=2, processes=1)
    with nullcontext() if fits else pytest.raises(InputError, match='a batch of 1 trains nothing'):
        check_negatives(loss, per_process=1, processes=2)
    with nullcontext() if loss is None else pytest.raises(InputError, match='a batch of 1 trains nothing'):
        check_negatives(loss, per_process=1, processes=1)


def test_frozen_everything():
    model = nn.Linear(2, 2)
    check_trained(model)
    with pytest.raises(InputError, match='has no weight to train'):
        check_trained(model.requires_grad_(False))


def test_labels_that_are_all_ignored(patches, tmp_path):
    folder = shutil.copytree(patches('mbrsc', 16), tmp_path / 'data')

    def dataset(**changes):
        steps = [dict(type='LoadPatch'), dict(type='LoadIndexMask')]
        return LandCoverPatches('mbrsc', str(folder), pipeline=steps, **changes)

    check_labels(dataset(), {255})
    check_labels(SimpleNamespace(), {255})  # reads no masks
    masks = sorted((folder / 'masks').iterdir())
    for mask in masks:
        Image.fromarray(np.full((16, 16), 255, np.uint8)).save(mask)
    with pytest.raises(InputError, match=f'all {len(masks)} masks .* nothing but ignored labels .255.'):
        check_labels(dataset(), {255})
    Image.fromarray(np.full((16, 16), 2, np.uint8)).save(masks[-1])
    check_labels(dataset(), {255})
    with pytest.raises(InputError, match=r'ignored labels \(2, 255\)'):
        check_labels(ConcatDataset([dataset(), dataset()]), {2, 255})


def test_masks_whose_ignored_pixels_a_head_would_take_for_a_class(patches, tmp_path):
    folder = shutil.copytree(patches('mbrsc', 16), tmp_path / 'data')

    def dataset(*steps):
        return LandCoverPatches('mbrsc', str(folder), pipeline=[*steps, dict(type='LoadIndexMask')])

    check_ignored(dataset(), dict(decode_head=255, auxiliary_head=255))
    check_ignored(SimpleNamespace(), dict(decode_head=4))  # reads no masks
    with pytest.raises(InputError, match=r'model\.auxiliary_head\.ignore_index is 4, but .*\.png has ignored pixels'):
        check_ignored(ConcatDataset([dataset()]), dict(decode_head=255, auxiliary_head=4))
    for mask in (folder / 'masks').iterdir():
        labels = np.array(Image.open(mask))
        labels[labels == 255] = 0
        Image.fromarray(labels).save(mask)
    check_ignored(dataset(), dict(decode_head=4))


def test_masks_padded_with_a_label_that_a_head_takes_for_a_class():
    def padded(ignored, **how):
        model = network((8,), decode_head=head(0, 8))
        model.decode_head.ignore_index = ignored
        model.data_preprocessor = SegDataPreProcessor(**how)
        return model

    check_padding(network((8,), decode_head=head(0, 8)))  # a model of one's own
    check_padding(padded(4))  # batches of one size need no padding
    check_padding(padded(255, size=(64, 64)))
    check_padding(padded(4, size_divisor=32, seg_pad_val=4))
    for how in ({'size': (64, 64)}, {'size_divisor': 32}):
        with pytest.raises(InputError, match=r'seg_pad_val is 255, but model\.decode_head ignores 4; set .*=4'):
            check_padding(padded(4, **how))
