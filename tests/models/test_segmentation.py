"""The linear probe equals one convolution on concatenated features; BandPreProcessor equals both others."""

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope
from mmengine.structures import PixelData
from mmseg.models import SegDataPreProcessor
from mmseg.structures import SegDataSample
from torch import nn
from torch.nn import functional

from projects.false.common.errors import InputError
from projects.false.models.preprocessor import ViewPreprocessor
from projects.false.models.segmentation import BandPreProcessor, LinearSegmentationHead
from tests.helpers.tools import REPOSITORY

CHANNELS = [3, 5, 7, 9]


@pytest.fixture
def features():
    generator = torch.Generator().manual_seed(0)
    sizes = zip(CHANNELS, (16, 8, 4, 4), strict=True)
    return [torch.rand(2, channels, side, side + 4, generator=generator) for channels, side in sizes]


@pytest.mark.parametrize('align_corners', [False, True])
@pytest.mark.parametrize('stages', [(0, 1, 2, 3), (3, 1), (2,)])
def test_equals_one_convolution_on_concatenated_features(features, stages, align_corners):
    chosen = [CHANNELS[stage] for stage in stages]
    head = LinearSegmentationHead(chosen, stages, num_classes=6, align_corners=align_corners)
    nn.init.normal_(head.conv_seg.bias)
    size = features[stages[0]].shape[2:]
    whole = torch.cat(
        [
            functional.interpolate(features[stage], size, mode='bilinear', align_corners=align_corners)
            for stage in stages
        ],
        1,
    )
    assert sum(parameter.numel() for parameter in head.parameters()) == 6 * sum(chosen) + 6
    torch.testing.assert_close(head(features), head.conv_seg(whole), rtol=1e-5, atol=1e-6)


def test_normalised_features_have_no_weights_and_fold_into_the_convolution(features):
    head = LinearSegmentationHead(CHANNELS, [0, 1, 2, 3], num_classes=6, norm_cfg=dict(type='BN'))
    assert [name for name, _ in head.named_parameters()] == ['conv_seg.weight', 'conv_seg.bias']
    for _ in range(200):
        head([10 * feature + 3 for feature in features])
    head.eval()
    inputs = [10 * feature + 3 for feature in features]
    for norm, feature in zip(head.norms, inputs, strict=True):
        found = norm(feature)
        assert found.mean().abs() < 0.01
        assert 0.9 < found.std() < 1.1
    folded = LinearSegmentationHead(CHANNELS, [0, 1, 2, 3], num_classes=6)
    mean = torch.cat([norm.running_mean for norm in head.norms])
    scale = torch.cat([(norm.running_var + norm.eps).rsqrt() for norm in head.norms])
    weight = head.conv_seg.weight * scale[None, :, None, None]
    folded.conv_seg.weight.data = weight
    folded.conv_seg.bias.data = head.conv_seg.bias - (weight[..., 0, 0] @ mean)
    torch.testing.assert_close(folded(inputs), head(inputs), rtol=1e-4, atol=1e-4)


def test_a_single_stage_by_its_number(features):
    head = LinearSegmentationHead(9, 3, num_classes=2)
    torch.testing.assert_close(head(features), head.conv_seg(features[3]))


@pytest.mark.parametrize(('channels', 'stages'), [([3, 5], [0]), (3, [0, 1]), ([], [])])
def test_channels_and_stages_differ(channels, stages):
    with pytest.raises(InputError, match='LinearSegmentationHead differ in number; give the channels'):
        LinearSegmentationHead(channels, stages, num_classes=2)


def test_nothing_of_a_frozen_backbone_moves_in_training():
    backbone = dict(type='ResNet', depth=18, frozen_stages=4, norm_eval=True)
    head = dict(
        type='LinearSegmentationHead',
        in_channels=[64, 128, 256, 512],
        in_index=[0, 1, 2, 3],
        num_classes=3,
        norm_cfg=dict(type='BN'),
    )
    with DefaultScope.overwrite_default_scope('mmseg'):
        model = MODELS.build(dict(type='EncoderDecoder', backbone=backbone, decode_head=head))
    model.init_weights()
    model.train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=0.1)
    for seed in range(2):
        generator = torch.Generator().manual_seed(seed)
        sample = SegDataSample(gt_sem_seg=PixelData(data=torch.randint(3, (1, 32, 32), generator=generator)))
        losses = model.loss(torch.rand(2, 3, 32, 32, generator=generator), [sample, sample])
        optimizer.zero_grad()
        losses['decode.loss_ce'].backward()
        optimizer.step()
    moved = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
    assert moved >= {'decode_head.conv_seg.weight', 'decode_head.norms.3.running_mean'}
    assert not [name for name in moved if name.startswith('backbone.')]


@pytest.mark.parametrize('scope', ['mmengine', 'mmseg'])
@pytest.mark.parametrize('kind', [BandPreProcessor, LinearSegmentationHead])
def test_configs_find_both_parts_in_the_root_registry(kind, scope):
    assert MODELS.module_dict[kind.__name__] is kind
    with DefaultScope.overwrite_default_scope(scope):
        assert MODELS.get(kind.__name__) is MODELS.get(f'mmseg.{kind.__name__}') is kind


MEAN, STD = [10.0, 20.0, 30.0, 40.0], [1.0, 2.0, 3.0, 4.0]


def images(bands):
    return [torch.randint(0, 256, (bands, 6, 5), dtype=torch.uint8) for _ in range(2)]


def test_three_bands_are_as_in_mmseg():
    inputs = images(3)
    stock = SegDataPreProcessor(mean=MEAN[:3], std=STD[:3], bgr_to_rgb=True)({'inputs': inputs})['inputs']
    torch.testing.assert_close(BandPreProcessor(MEAN[:3], STD[:3])({'inputs': inputs})['inputs'], stock)


@pytest.mark.parametrize('bands', [1, 2, 4])
def test_any_number_of_bands_is_as_in_pretraining(bands):
    inputs = images(bands)
    options = {'mean': MEAN[:bands], 'std': STD[:bands], 'bgr_to_rgb': bands > 2}
    pretrained = ViewPreprocessor(**options)({'inputs': torch.stack(inputs)})['inputs']
    torch.testing.assert_close(BandPreProcessor(**options)({'inputs': inputs})['inputs'], pretrained)


def test_training_pads_image_and_label():
    samples = [SegDataSample(metainfo={'img_shape': (6, 5)}) for _ in range(2)]
    for sample in samples:
        sample.gt_sem_seg = PixelData(data=torch.zeros(1, 6, 5, dtype=torch.long))
    preprocessor = BandPreProcessor(MEAN, STD, size=(8, 8), pad_val=0, seg_pad_val=255)
    done = preprocessor({'inputs': images(4), 'data_samples': samples}, training=True)
    assert done['inputs'].shape == (2, 4, 8, 8)
    assert (done['data_samples'][0].gt_sem_seg.data[0, 6:] == 255).all()


def test_another_number_of_bands_is_named():
    with pytest.raises(InputError, match=r'the images have 3 bands, .* have 4; give one number per band'):
        BandPreProcessor(MEAN, STD)({'inputs': images(3)})


def test_the_loss_of_sparse_labels_is_that_of_the_labelled_pixels():
    """However few pixels of a patch have a label, they weigh as much as if all had one."""
    cfg = Config.fromfile(REPOSITORY / 'configs/upernet_r18_synthetic.py')
    loss = MODELS.build(dict(cfg.model.decode_head.loss_decode, _scope_='mmseg'))
    logits = torch.rand(2, 7, 16, 16, generator=torch.Generator().manual_seed(0)) * 4
    label = torch.full((2, 16, 16), 255)
    label[0, 3, 5], label[1, 2, 2:4] = 1, 4
    known = label != 255
    expected = functional.cross_entropy(logits.permute(0, 2, 3, 1)[known], label[known])
    torch.testing.assert_close(loss(logits, label, ignore_index=255), expected)
