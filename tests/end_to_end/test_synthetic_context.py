"""Context matters on synthetic scenes: colour alone stays far below a network that sees shapes and textures."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import nn

from projects.false.converters.scenes import draw_scene
from projects.false.evaluation.scores import confusion_matrix, scores

CLASSES = 7
CROP = 64
STEPS = 1400  # leaves margins of 20 to 22 points, from seed to seed
WIDTHS = (24, 64, 96, 128)  # of the network, at a half of the resolution to a sixteenth


def colour_codes(pictures, bits):
    coarse = pictures.astype(np.int64) >> (8 - bits)
    return ((coarse[..., 0] << bits) + coarse[..., 1] << bits) + coarse[..., 2]


def colour_alone(train, test, bits):
    """mIoU of the likeliest class of every quantised colour, learnt from all training pixels."""
    pairs = colour_codes(train[0], bits) * CLASSES + train[1]
    seen = np.bincount(pairs.ravel(), minlength=8**bits * CLASSES).reshape(-1, CLASSES)
    prior = seen.sum(0) / seen.sum()
    likeliest = (seen + prior).argmax(1)
    return scores(confusion_matrix(test[1], likeliest[colour_codes(test[0], bits)], CLASSES)).miou


def convolution(inputs, outputs, size, stride=1):
    padding = size // 2 if stride == 1 else 0
    layers = nn.Conv2d(inputs, outputs, size, stride, padding, bias=False), nn.BatchNorm2d(outputs)
    return nn.Sequential(*layers, nn.ReLU(inplace=True))


class Network(nn.Module):
    """A small U-Net: much cheaper than a recipe of the repository, and enough to show what context tells."""

    def __init__(self):
        super().__init__()
        steps = list(pairwise(WIDTHS))
        self.begin = nn.Sequential(nn.PixelUnshuffle(2), convolution(12, WIDTHS[0], 3))
        self.encode = nn.ModuleList(convolution(width, width, 3) for width in WIDTHS)
        self.down = nn.ModuleList(convolution(fine, coarse, 2, stride=2) for fine, coarse in steps)
        self.up = nn.ModuleList(
            nn.Sequential(nn.Conv2d(coarse, fine, 1, bias=False), nn.BatchNorm2d(fine)) for fine, coarse in steps
        )
        self.decode = nn.ModuleList(convolution(width, width, 3) for width in WIDTHS[:-1])
        self.end = nn.Conv2d(WIDTHS[0], CLASSES, 1)

    def forward(self, pictures):
        """Logits of uint8 pictures, (N, 3, H, W) to (N, CLASSES, H, W)."""
        images = (pictures.float() - 128) / 64
        found, kept = self.begin(images.contiguous(memory_format=torch.channels_last)), []
        for encode, down in zip(self.encode, self.down, strict=False):
            found = found + encode(found)
            kept.append(found)
            found = down(found)
        found = found + self.encode[-1](found)
        for fine, up, decode in zip(reversed(kept), reversed(self.up), reversed(self.decode), strict=True):
            found = fine + nn.functional.interpolate(up(found), scale_factor=2)
            found = found + decode(found)
        return nn.functional.interpolate(self.end(found), scale_factor=2, mode='bilinear')


def supervised(train, test, seed=0):
    """mIoU of a network trained on crops of all labelled patches."""
    torch.manual_seed(seed)
    model = Network().to(memory_format=torch.channels_last)
    images, unseen = (torch.from_numpy(np.moveaxis(part[0], -1, 1).copy()) for part in (train, test))
    labels = torch.from_numpy(train[1]).long()
    optimizer = torch.optim.AdamW(model.parameters(), weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=1e-2, total_steps=STEPS, pct_start=0.1)
    generator = torch.Generator().manual_seed(seed)
    model.train()
    for _ in range(STEPS):
        chosen = torch.randint(len(images), (8,), generator=generator)
        top, left = torch.randint(images.shape[-1] - CROP + 1, (2,), generator=generator).tolist()
        part = (..., slice(top, top + CROP), slice(left, left + CROP))
        batch, target = images[chosen][part], labels[chosen][part]
        for axis in (-1, -2):
            if torch.rand((), generator=generator) < 0.5:
                batch, target = batch.flip(axis), target.flip(axis)
        loss = nn.functional.cross_entropy(model(batch), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    model.eval()
    with torch.no_grad():
        found = torch.cat([model(part).argmax(1) for part in unseen.split(16)])
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
