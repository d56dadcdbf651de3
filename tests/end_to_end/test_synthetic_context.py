"""Context matters on made scenes: colour alone stays far below a network that sees shapes and textures."""

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope
from mmengine.utils import import_modules_from_strings

from projects.false.converters.scenes import draw_scene
from projects.false.engine.precision import cpu_has_bfloat16, to_channels_last
from projects.false.evaluation.scores import confusion_matrix, scores
from tests.helpers.tools import REPOSITORY

CLASSES = 7
STEPS = 500


def colour_codes(pictures, bits):
    coarse = pictures.astype(np.int64) >> (8 - bits)
    return ((coarse[..., 0] << bits) + coarse[..., 1] << bits) + coarse[..., 2]


def colour_alone(train, test, bits):
    """mIoU of the likeliest class of every quantised colour, learnt from all training pixels."""
    seen = np.zeros((8**bits, CLASSES))
    np.add.at(seen, (colour_codes(train[0], bits).ravel(), train[1].ravel()), 1)
    prior = seen.sum(0) / seen.sum()
    likeliest = (seen + prior).argmax(1)
    return scores(confusion_matrix(test[1], likeliest[colour_codes(test[0], bits)], CLASSES)).miou


def supervised(train, test):
    """mIoU of UPerNet-R18 trained on all labels."""
    config = Config.fromfile(REPOSITORY / 'configs' / 'upernet_r18_synthetic.py')
    import_modules_from_strings(**config.custom_imports)
    init_default_scope('mmseg')
    config.model.backbone.init_cfg = None
    torch.manual_seed(0)
    model = MODELS.build(config.model)
    model.init_weights()
    to_channels_last(model)
    mean, std = (np.array(config.model.data_preprocessor[key], np.float32) for key in ('mean', 'std'))

    def prepared(pictures):
        return torch.from_numpy(np.moveaxis((pictures - mean) / std, -1, 1)).float()

    def logits(images):
        with torch.autocast('cpu', torch.bfloat16, enabled=cpu_has_bfloat16()):
            low = model.decode_head(model.backbone(images)).float()
        return torch.nn.functional.interpolate(low, size=images.shape[-2:], mode='bilinear')

    images, labels = prepared(train[0]), torch.from_numpy(train[1]).long()
    optimizer = torch.optim.AdamW(model.parameters(), weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=3e-3, total_steps=STEPS, pct_start=0.1)
    generator = torch.Generator().manual_seed(0)
    model.train()
    for _ in range(STEPS):
        chosen = torch.randint(len(images), (8,), generator=generator)
        batch, target = images[chosen], labels[chosen]
        for axis in (-1, -2):
            if torch.rand((), generator=generator) < 0.5:
                batch, target = batch.flip(axis), target.flip(axis)
        loss = torch.nn.functional.cross_entropy(logits(batch), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    model.eval()
    with torch.no_grad():
        found = torch.cat([logits(part).argmax(1) for part in prepared(test[0]).split(16)])
    return scores(confusion_matrix(test[1], found.numpy(), CLASSES)).miou


def patches(numbers):
    """All 128-pixel patches of some scenes of 512 pixels."""
    pictures, labels = zip(*(draw_scene(512, seed=0, number=number) for number in numbers), strict=True)
    pictures, labels = np.stack(pictures), np.stack(labels)
    pictures = pictures.reshape(-1, 4, 128, 4, 128, 3).swapaxes(2, 3).reshape(-1, 128, 128, 3)
    return pictures, labels.reshape(-1, 4, 128, 4, 128).swapaxes(2, 3).reshape(-1, 128, 128)


@pytest.mark.slow
def test_colour_alone_stays_15_points_below_full_supervision():
    train, test = patches(range(40)), patches(range(40, 50))
    best_colour = max(colour_alone(train, test, bits) for bits in (3, 4, 5))
    full = supervised(train, test)
    print(f'colour alone {best_colour:.3f}, supervised {full:.3f}')
    assert full - best_colour >= 0.15, (full, best_colour)
