"""Views and pseudo-labels of a mean teacher, and a loss that is that of labels plus that of pseudo-labels."""

import copy

import pytest
import torch
from mmengine.registry import MODELS, init_default_scope
from mmengine.structures import PixelData
from mmseg.models import EncoderDecoder
from mmseg.structures import SegDataSample

from projects.false.common.errors import InputError
from projects.false.datasets.views.steps import ViewSteps
from projects.false.semi_supervised import MeanTeacherPreProcessor
from projects.false.semi_supervised.mean_teacher import inside, next_companion

HEAD = dict(type='FCNHead', num_classes=3, in_channels=64, channels=8, num_convs=1, concat_input=False, in_index=3)
NET = dict(
    backbone=dict(type='ResNet', depth=18, base_channels=8, stem_channels=8, norm_cfg=dict(type='BN')),
    decode_head=dict(**HEAD, dropout_ratio=0, norm_cfg=dict(type='BN')),
    test_cfg=dict(mode='whole'),
)


def build(kind='MeanTeacher', head=None, **changes):
    init_default_scope('mmseg')
    torch.manual_seed(0)
    net = copy.deepcopy(NET)
    net['decode_head'].update(head or {})
    model = MODELS.build(dict(type=kind, **net, **changes))
    model.init_weights()
    return model


def sample(label):
    return SegDataSample(gt_sem_seg=PixelData(data=label[None]), metainfo=dict(img_shape=label.shape))


def test_pixels_inside_rectangles():
    found = inside(torch.tensor([[1, 0, 3, 2], [0, 0, 0, 0]]), 4, 3)
    assert found[0].int().tolist() == [[0, 0, 0], [1, 1, 0], [1, 1, 0], [0, 0, 0]]
    assert not found[1].any()


def test_companions_go_round():
    assert next_companion(torch.arange(6), 3).tolist() == [1, 2, 0, 4, 5, 3]
    assert next_companion(torch.arange(4), 1).tolist() == [0, 1, 2, 3]


def test_views_of_the_preprocessor():
    images = torch.randint(0, 256, (2, 2, 3, 8, 8), dtype=torch.uint8)
    plain = torch.tensor([ViewSteps().row()] * 2)
    boxes = torch.tensor([[0, 0, 4, 8], [0, 0, 0, 0]])
    data = dict(inputs=list(images[:, 0]), data_samples=[sample(torch.zeros(8, 8, dtype=torch.long)) for _ in 'ab'])
    data.update(unlabelled=list(images), steps=[plain, plain], boxes=[boxes, boxes])
    preprocessor = MeanTeacherPreProcessor(mean=[10.0, 20.0, 30.0], std=[2.0, 4.0, 8.0], size=(8, 8))
    made = preprocessor(data, training=True)
    red_first = images.flatten(0, 1)[:, [2, 1, 0]].float()
    expected = (red_first - torch.tensor([10.0, 20, 30]).view(-1, 1, 1)) / torch.tensor([2.0, 4, 8]).view(-1, 1, 1)
    torch.testing.assert_close(made['weak'], expected)
    torch.testing.assert_close(made['inputs'], expected[::2])
    torch.testing.assert_close(made['strong'][0, :, :4], expected[1, :, :4])  # the rectangle is the companion's
    torch.testing.assert_close(made['strong'][0, :, 4:], expected[0, :, 4:])
    torch.testing.assert_close(made['strong'][1], expected[1])
    assert made['companions'] == 2
    assert preprocessor(data, training=False).keys() == {'inputs', 'data_samples'}


def test_images_with_other_bands_are_refused():
    preprocessor = MeanTeacherPreProcessor(mean=[1.0] * 3, std=[1.0] * 3, size=(8, 8))
    labelled = torch.zeros(3, 8, 8, dtype=torch.uint8)
    data = dict(inputs=[labelled], data_samples=[sample(torch.zeros(8, 8, dtype=torch.long))])
    data.update(unlabelled=[torch.zeros(2, 4, 8, 8)], steps=[torch.zeros(2, 10)], boxes=[torch.zeros(2, 4)])
    with pytest.raises(InputError, match='unlabelled images have 4 bands'):
        preprocessor(data, training=True)


def test_pseudo_labels_need_the_confidence_of_their_class():
    model = build(confidence=[0.4, 0.9, 0.4])
    teacher = build()
    with torch.no_grad():  # probabilities .5 .3 .2 on every pixel, then .2 .5 .3
        teacher.decode_head.conv_seg.weight.zero_()
        teacher.decode_head.conv_seg.bias.copy_(torch.tensor([0.5, 0.3, 0.2]).log())
    model.follow(teacher, 1.0)
    weak = torch.randn(2, 3, 32, 32)
    assert (model.pseudo_labels(weak) == 0).all()
    with torch.no_grad():
        teacher.decode_head.conv_seg.bias.copy_(torch.tensor([0.2, 0.5, 0.3]).log())
    assert (model.pseudo_labels(weak) == 255).all()
    assert not teacher.training


def test_loss_is_that_of_labels_and_of_pseudo_labels():
    model, teacher = build(confidence=0.5).eval(), build()  # batch statistics would tie the two parts together
    with torch.no_grad():  # sure of some pixels
        teacher.decode_head.conv_seg.weight.normal_(0, 3)
    inputs, weak, strong = torch.randn(3, 4, 3, 32, 32)
    labels = torch.randint(0, 3, (4, 32, 32))
    boxes = torch.tensor([[0, 0, 16, 16]] * 4)
    mixed = inside(boxes, 32, 32)
    model.follow(teacher, 0.5)
    views = dict(weak=weak, strong=strong, mixed=mixed, companions=2)
    found = model(inputs, [sample(label) for label in labels], mode='loss', **views)
    pseudo = model.pseudo_labels(weak)
    assert set(pseudo.unique().tolist()) > {255}
    pseudo[:, :16, :16] = pseudo[[1, 0, 3, 2], :16, :16]
    plain = [model.loss(x, [sample(y) for y in ys]) for x, ys in ((inputs, labels), (strong, pseudo))]
    torch.testing.assert_close(found['decode.loss_ce'], plain[0]['decode.loss_ce'])
    torch.testing.assert_close(found['unlabelled.decode.loss_ce'], 0.5 * plain[1]['decode.loss_ce'])
    torch.testing.assert_close(found['unlabelled.share'], (pseudo != 255).float().mean())


@pytest.mark.parametrize('several', [False, True])
def test_few_pseudo_labels_weigh_little_however_the_head_averages(several):
    aux = dict(HEAD, in_channels=32, in_index=2, dropout_ratio=0, norm_cfg=dict(type='BN'))
    model, teacher = build(confidence=0.5, auxiliary_head=[aux, aux] if several else aux).eval(), build()
    with torch.no_grad():
        teacher.decode_head.conv_seg.weight.normal_(0, 3)
    inputs, weak, strong = torch.randn(3, 4, 3, 32, 32)
    samples = [sample(label) for label in torch.randint(0, 3, (4, 32, 32))]
    model.follow(teacher, 1.0)
    views = dict(weak=weak, strong=strong, mixed=torch.zeros(4, 32, 32, dtype=torch.bool), companions=2)
    found = []
    for leaves_out in (False, True):
        for head in [model.decode_head, *(model.auxiliary_head if several else [model.auxiliary_head])]:
            head.loss_decode.avg_non_ignore = leaves_out
        found.append(model(inputs, samples, mode='loss', **views))
    assert 0 < found[0]['unlabelled.share'] < 1
    names = ['decode', *(['aux_0', 'aux_1'] if several else ['aux'])]
    for name in names:
        torch.testing.assert_close(*(losses[f'unlabelled.{name}.loss_ce'] for losses in found))


def test_pseudo_labels_are_ignored_as_the_head_ignores():
    """A class that the head leaves out: pixels of it count as little as those without a pseudo-label."""
    model, teacher = build(confidence=0.5, head=dict(ignore_index=2)).eval(), build()
    logits = 2 * torch.randn(4, 3, 32, 32)
    teacher.encode_decode = lambda *args: logits
    inputs, weak, strong = torch.randn(3, 4, 3, 32, 32)
    samples = [sample(label) for label in torch.randint(0, 3, (4, 32, 32))]
    model.follow(teacher, 1.0)
    views = dict(weak=weak, strong=strong, mixed=torch.zeros(4, 32, 32, dtype=torch.bool), companions=2)
    found = model(inputs, samples, mode='loss', **views)
    sure, labels = logits.softmax(1).max(1)
    counts = (sure >= 0.5) & (labels != 2)
    torch.testing.assert_close(found['unlabelled.share'], counts.float().mean())
    expected = model.loss(strong, [sample(label) for label in torch.where(counts, labels, 2)])
    torch.testing.assert_close(found['unlabelled.decode.loss_ce'], expected['decode.loss_ce'])


def test_labels_alone_until_there_is_a_teacher():
    model = build()
    inputs, labels = torch.randn(2, 3, 32, 32), torch.randint(0, 3, (2, 32, 32))
    views = dict(weak=inputs, strong=inputs, mixed=torch.zeros(2, 32, 32, dtype=torch.bool), companions=2)
    assert model(inputs, [sample(y) for y in labels], mode='loss', **views).keys() == {
        'decode.loss_ce',
        'decode.acc_seg',
    }


def test_weights_have_the_names_of_the_supervised_model():
    model = build()
    model.follow(build(), 1.0)
    plain = build('EncoderDecoder')
    assert isinstance(model, EncoderDecoder)
    plain.load_state_dict(model.state_dict())


@pytest.mark.parametrize(
    ('confidence', 'message'), [(1.5, r'must be in \[0, 1\]'), ([0.9, 0.9], 'has 2 numbers for 3 classes')]
)
def test_bad_confidence(confidence, message):
    with pytest.raises(InputError, match=message):
        build(confidence=confidence)


def test_heads_without_an_output_per_class_or_a_label_to_ignore_in_common():
    with pytest.raises(InputError, match=r'decode_head of MeanTeacher has a single output.*leave out_channels out'):
        build(
            head=dict(
                num_classes=2,
                out_channels=1,
                threshold=0.5,
                loss_decode=dict(type='CrossEntropyLoss', use_sigmoid=True),
            )
        )
    aux = dict(HEAD, in_channels=32, in_index=2, norm_cfg=dict(type='BN'))
    with pytest.raises(InputError, match=r'ignore_index is 2 and 255 in the heads of MeanTeacher; set'):
        build(auxiliary_head=[aux, dict(aux, ignore_index=2)])
