"""Our MoCo v2 base states mmpretrain's recipe: every difference from mmpretrain's own file is listed here."""

from pathlib import Path

import mmpretrain
from mmengine.config import Config

from tests.helpers.tools import REPOSITORY

CONFIGS = REPOSITORY / 'configs'
THEIRS = Path(mmpretrain.__file__).parent / '.mim/configs/mocov2/mocov2_resnet50_8xb32-coslr-200e_in1k.py'


def flat(value, name=''):
    if isinstance(value, dict):
        return {key: leaf for part, inner in value.items() for key, leaf in flat(inner, f'{name}.{part}').items()}
    return {name.removeprefix('.'): value}


def differences(section):
    ours, theirs = (flat(Config.fromfile(path).to_dict()[section]) for path in (CONFIGS / 'mocov2_r50_dglc.py', THEIRS))
    return {
        key: (ours.get(key), theirs.get(key)) for key in ours.keys() | theirs.keys() if ours.get(key) != theirs.get(key)
    }


def test_model():
    assert differences('model') == {
        # one class for FALSE and MoCo v2; its queue remembers images and is shorter than any data set
        'type': ('FALSEMoCo', 'MoCo'),
        'queue_len': (4096, 65536),
        # the same two layers under our name; they average over space themselves
        'neck.type': ('FALSENeck', 'MoCoV2Neck'),
        'neck.with_avg_pool': (None, True),
        # the head holds the loss, the loss its temperature: InfoNCE is cross entropy over those logits
        'head.type': ('FALSEHead', 'ContrastiveHead'),
        'head.loss.type': ('NTXentLoss', 'CrossEntropyLoss'),
        'head.loss.temperature': (0.2, None),
        'head.temperature': (None, 0.2),
        # the preprocessor stands beside the model in mmpretrain; the values are compared below
        'data_preprocessor.type': ('ViewPreprocessor', None),
        'data_preprocessor.mean': ([123.675, 116.28, 103.53], None),
        'data_preprocessor.std': ([58.395, 57.12, 57.375], None),
        'data_preprocessor.bgr_to_rgb': (True, None),
    }
    theirs = Config.fromfile(THEIRS).data_preprocessor
    assert (theirs.mean, theirs.std, theirs.to_rgb) == ([123.675, 116.28, 103.53], [58.395, 57.12, 57.375], True)


def test_optimizer_and_length():
    assert differences('optim_wrapper') == {}
    assert differences('train_cfg') == {}
    assert differences('auto_scale_lr') == {}


def test_schedule():
    ours, theirs = (Config.fromfile(path).param_scheduler for path in (CONFIGS / 'mocov2_r50_dglc.py', THEIRS))
    assert [entry.type for entry in ours] == [entry.type for entry in theirs] == ['CosineAnnealingLR']
    # ours moves every iteration and ends with the run, whatever its length; theirs once per epoch, for 200 epochs
    assert ours[0] == dict(type='CosineAnnealingLR', by_epoch=True, convert_to_iter_based=True)
    assert theirs[0] == dict(type='CosineAnnealingLR', T_max=200, by_epoch=True, begin=0, end=200)


def test_loader_and_views():
    ours, theirs = (Config.fromfile(path).train_dataloader for path in (CONFIGS / 'mocov2_r50_dglc.py', THEIRS))
    for key in ('batch_size', 'num_workers', 'drop_last', 'persistent_workers', 'collate_fn'):
        assert ours[key] == theirs[key], key
    crop, jitter, grey, blur, flip = theirs.dataset.pipeline[1].transforms[0]
    strengths = tuple(jitter.transforms[0][name] for name in ('brightness', 'contrast', 'saturation', 'hue'))
    from projects.false.datasets.views.views import ContrastiveViews

    views = {key: value for key, value in ours.dataset.pipeline[1].items() if key != 'type'}
    made = ContrastiveViews(**views)
    assert (made.size, made.crop_scale) == (crop.scale, tuple(crop.crop_ratio_range)) == (224, (0.2, 1.0))
    assert (tuple(made.color.jitter), made.color.jitter_prob) == (strengths, jitter.prob)
    assert (made.color.grey_prob, made.color.blur_prob) == (grey.prob, blur.prob)
    assert tuple(made.color.blur_sigma) == tuple(blur.magnitude_range)
    assert made.flip_prob == flip.prob
    assert made.vertical_flip_prob == 0.5  # theirs has none; seen from above, no side is up
