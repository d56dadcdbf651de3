"""Steps on the training device give what the loader gives."""

import cv2
import numpy as np
import pytest
import torch

from projects.false import InputError
from projects.false.common.random_state import seeded
from projects.false.datasets.views.color_device import apply_steps, blur
from projects.false.datasets.views.steps import HUE, NEUTRAL, ViewSteps
from projects.false.datasets.views.views import ContrastiveViews
from projects.false.models.preprocessor import ViewPreprocessor

ORDER = (0, 1, 2, 3)


@pytest.fixture(scope='module')
def image():
    noise = np.random.default_rng(0).integers(0, 256, (12, 12, 4), dtype=np.uint8)
    return cv2.resize(noise, (96, 96), interpolation=cv2.INTER_CUBIC)


def batch(image, color_on, count=64, **arguments):
    views = ContrastiveViews(size=48, color_on=color_on, **arguments)
    made = []
    for number in range(count):
        with seeded((number,)):
            made.append(views.transform({'img': image})['img'])
    first, second = (torch.from_numpy(np.stack([views[n] for views in made])).permute(0, 3, 1, 2) for n in (0, 1))
    return [first, second] if color_on == 'loader' else [first, second, torch.stack([views[2] for views in made])]


@pytest.mark.parametrize('bands', [3, 4])
def test_device_and_loader_differ_by_rounding(image, bands):
    image = np.ascontiguousarray(image[..., :bands])
    preprocessor = ViewPreprocessor([0.0] * bands, [1.0] * bands)
    loader, device = (preprocessor({'inputs': batch(image, who)})['inputs'] for who in ('loader', 'device'))
    plain = preprocessor({'inputs': batch(image, 'device')[:2]})['inputs']
    for one, other, without in zip(loader, device, plain, strict=True):
        difference = (one - other).abs().mean((1, 2, 3))
        assert difference.mean() < 1
        assert difference.max() < 3
        assert (one - without).abs().mean() > 10
    if bands == 4:  # no colour, so that only the blur changes it
        steps = batch(image, 'device')[2]
        assert torch.equal((device[0] != plain[0])[:, 3].any((1, 2)), steps[:, 0, 9] > 0.2)


@pytest.mark.parametrize('step', range(4))
def test_every_step_alone(image, step):
    """Against OpenCV's float conversion and plain arithmetic, image by image."""
    rgb = torch.from_numpy(image[..., :3].astype(np.float32)).permute(2, 0, 1)
    amounts = [0.3, 0.8, 1.4] if step != HUE else [-0.2, 0.1, 0.45]
    rows = [ViewSteps(ORDER, tuple(a if n == step else NEUTRAL[n] for n in ORDER)).row() for a in amounts]
    found = apply_steps(rgb.repeat(3, 1, 1, 1), torch.tensor(rows))
    grey = torch.tensor([0.299, 0.587, 0.114]) @ rgb.flatten(1)
    for amount, made in zip(amounts, found, strict=True):
        if step == HUE:
            hsv = cv2.cvtColor(image[..., :3].astype(np.float32) / 255, cv2.COLOR_RGB2HSV)
            hsv[..., 0] = (hsv[..., 0] + 360 * amount) % 360
            wanted = torch.from_numpy(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB) * 255).permute(2, 0, 1)
        else:
            other = (0, grey.mean().round(), grey.view(1, *rgb.shape[1:]))[step]
            wanted = (rgb * amount + other * (1 - amount)).clamp(0, 255)
        torch.testing.assert_close(made, wanted, atol=0.05, rtol=0)


def test_order_matters_and_is_kept(image):
    rgb = torch.from_numpy(image[..., :3].astype(np.float32)).permute(2, 0, 1)[None]
    amounts = (1.8, 0.3, 1.0, 0.0)
    first = apply_steps(rgb.clone(), torch.tensor([ViewSteps((0, 1, 2, 3), amounts).row()]))
    second = apply_steps(rgb.clone(), torch.tensor([ViewSteps((1, 0, 2, 3), amounts).row()]))
    assert (first - second).abs().max() > 20


@pytest.mark.parametrize('shape', [(40, 40), (30, 50), (4, 3)])
def test_blur_is_opencvs(shape):
    images = np.random.default_rng(0).uniform(0, 255, (3, *shape, 5)).astype(np.float32)
    sigmas = torch.tensor([0.1, 0.7, 2.0])
    found = blur(torch.from_numpy(images).permute(0, 3, 1, 2), sigmas)
    for made, image, sigma in zip(found, images, sigmas, strict=True):
        size = tuple(2 * min(8, side - 1) + 1 for side in reversed(shape))  # width first
        wanted = cv2.GaussianBlur(image, size, float(sigma), borderType=cv2.BORDER_REFLECT_101)
        torch.testing.assert_close(made.permute(1, 2, 0), torch.from_numpy(wanted), atol=0.01, rtol=0)


def test_autocast_does_not_reach_the_steps(image):
    preprocessor = ViewPreprocessor([0.0] * 4, [1.0] * 4)
    plain = preprocessor({'inputs': batch(image, 'device', 8)})['inputs']
    with torch.autocast('cpu', dtype=torch.bfloat16):
        autocast = preprocessor({'inputs': batch(image, 'device', 8)})['inputs']
    assert all(torch.equal(one, other) for one, other in zip(plain, autocast, strict=True))


def test_bands_and_statistics_must_agree(image):
    with pytest.raises(InputError, match=r'have 4 bands, but mean and std .* have 3'):
        ViewPreprocessor([0.0] * 3, [1.0] * 3)({'inputs': batch(image, 'device', 2)})


def test_preprocessor_that_knows_no_steps_fails(image):
    import mmpretrain.models  # noqa: F401
    from mmengine.registry import MODELS, init_default_scope

    init_default_scope('mmpretrain')
    stock = MODELS.build(dict(type='SelfSupDataPreprocessor', mean=[0] * 3, std=[1] * 3, to_rgb=True))
    inputs = batch(np.ascontiguousarray(image[..., :3]), 'device', 2)
    assert len(stock({'inputs': inputs[:2], 'data_samples': []})['inputs']) == 2
    with pytest.raises((AssertionError, RuntimeError, IndexError)):
        stock({'inputs': inputs, 'data_samples': []})
