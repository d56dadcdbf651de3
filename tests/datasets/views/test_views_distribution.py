"""2,000 views per side have the distributions of mmpretrain's stock transforms, whoever does the colours.

Compared by the two-sample Kolmogorov-Smirnov distance: with 2,000 per side and no difference, it exceeds 0.0616 once
in a thousand times.
"""

import cv2
import numpy as np
import pytest
import torch

from projects.false.common.random_state import seeded
from projects.false.datasets.views.views import ContrastiveViews
from projects.false.models.preprocessor import ViewPreprocessor

pytestmark = pytest.mark.slow

VIEWS, SIZE, LIMIT = 2000, 64, 0.0616
NAMES = ('mean B', 'mean G', 'mean R', 'std B', 'std G', 'std R', 'saturation', 'hue', 'Laplacian', 'area', 'aspect')


@pytest.fixture(scope='module')
def image():
    """The same texture everywhere, so that the crop adds little to what the colours do."""
    noise = np.random.default_rng(0).normal(0, 1, (96, 96, 3))
    texture = 14 * noise + 30 * cv2.GaussianBlur(noise, (0, 0), 2)
    return np.clip(texture + np.array([85, 115, 140]), 0, 255).astype(np.uint8)


@pytest.fixture(scope='module')
def places():
    """An image whose pixels encode their position."""
    row, column = np.mgrid[:96, :96].astype(np.uint8)
    return np.dstack([2 * row, 2 * column, 0 * row])


def statistics(views, crops):
    """One row per view; ``crops`` are views of the image of places."""
    rows = []
    for view, crop in zip(views, crops, strict=True):
        mean, spread = cv2.meanStdDev(view)
        some = np.ascontiguousarray(view[::4, ::4], np.float32) / 255
        hue, saturation, _ = cv2.split(cv2.cvtColor(some, cv2.COLOR_BGR2HSV))
        turn = (np.exp(1j * np.deg2rad(hue)) * saturation).mean()
        energy = cv2.meanStdDev(cv2.Laplacian(view, cv2.CV_16S))[1].sum()
        tall, wide = (int(np.ptp(crop[..., axis])) for axis in (0, 1))
        rows.append([*mean[:, 0], *spread[:, 0], saturation.mean(), np.angle(turn), energy, tall * wide, wide / tall])
    return np.array(rows)


def distances(one, other):
    """Kolmogorov-Smirnov distance of every statistic."""
    found = {}
    for name, a, b in zip(NAMES, one.T, other.T, strict=True):
        a, b = np.sort(a), np.sort(b)
        at = np.concatenate([a, b])
        found[name] = abs(np.searchsorted(a, at, 'right') / len(a) - np.searchsorted(b, at, 'right') / len(b)).max()
    return found


@pytest.fixture(scope='module')
def stock(image, places):
    import mmpretrain.datasets  # noqa: F401
    from mmengine.registry import TRANSFORMS, init_default_scope

    init_default_scope('mmpretrain')
    jitter = dict(type='ColorJitter', brightness=0.8, contrast=0.8, saturation=0.8, hue=0.2)
    steps = [
        TRANSFORMS.build(step)
        for step in (
            dict(type='RandomResizedCrop', scale=SIZE, backend='pillow'),
            dict(type='RandomFlip', prob=0.5),
            dict(type='RandomApply', transforms=[jitter], prob=0.8),
            dict(type='RandomGrayscale', prob=0.2, keep_channels=True, channel_weights=(0.114, 0.587, 0.2989)),
            dict(type='GaussianBlur', magnitude_range=(0.1, 2.0), magnitude_std='inf', prob=0.5),
        )
    ]

    crop = TRANSFORMS.build(dict(type='RandomResizedCrop', scale=16, backend='pillow'))

    def view(of, steps):
        results = {'img': of, 'img_shape': of.shape[:2]}
        for step in steps:
            results = step(results)
        return results['img']

    with seeded((1,)):
        return statistics([view(image, steps) for _ in range(VIEWS)], [view(places, [crop]) for _ in range(VIEWS)])


def ours(image, places, color_on, seed=2, **changes):
    views = ContrastiveViews(size=SIZE, color_on=color_on, num_views=VIEWS, **changes)
    still = dict(jitter_prob=0, grey_prob=0, blur_prob=0)
    plain = ContrastiveViews(size=16, num_views=VIEWS, **{**changes, **still})
    with seeded((seed,)):
        made = views.transform({'img': image})['img']
        crops = plain.transform({'img': places})['img']
    if color_on == 'device':
        *made, steps = made
        batch = [torch.from_numpy(np.stack(made)).permute(0, 3, 1, 2), steps[:, None]]
        (made,) = ViewPreprocessor([0.0] * 3, [1.0] * 3)({'inputs': batch})['inputs']
        made = made.flip(1).permute(0, 2, 3, 1).round().byte().numpy()
    return statistics(made, crops)


@pytest.mark.parametrize('color_on', ['loader', 'device'])
def test_released_views_are_those_of_mmpretrain(image, places, stock, color_on):
    found = distances(ours(image, places, color_on), stock)
    assert max(found.values()) < LIMIT, found


@pytest.mark.parametrize('color_on', ['loader', 'device'])
@pytest.mark.parametrize(
    ('change', 'seen_in'),
    [
        (dict(jitter=(0.6, 0.6, 0.6, 0.2)), {'mean G', 'saturation'}),
        (dict(blur_prob=0.3), {'Laplacian'}),
        (dict(crop_scale=(0.2, 1.0)), {'area'}),
        ('swapped', {'mean B', 'mean R', 'hue'}),
    ],
    ids=['jitter 0.6', 'blur 0.3', 'crop 0.2', 'swapped channels'],
)
def test_other_distributions_are_told_apart(image, places, stock, color_on, change, seen_in):
    if change == 'swapped':
        found = distances(ours(np.ascontiguousarray(image[..., ::-1]), places, color_on), stock)
    else:
        found = distances(ours(image, places, color_on, **change), stock)
    assert all(found[name] > LIMIT for name in seen_in), found
