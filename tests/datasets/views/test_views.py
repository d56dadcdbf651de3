import cv2
import numpy as np
import pytest
import torch
from mmengine.dataset import default_collate
from PIL import Image
from torch.utils.data import DataLoader

from projects.false import InputError
from projects.false.common.random_state import seeded
from projects.false.datasets.patches import UnlabelledPatches
from projects.false.datasets.seeding import SeededSampler
from projects.false.datasets.views.color_loader import (
    adjust_brightness,
    adjust_contrast,
    adjust_saturation,
    blur,
    grey_of,
)
from projects.false.datasets.views.views import ContrastiveViews, crop_window, resize


@pytest.fixture(scope='module')
def image():
    noise = np.random.default_rng(0).integers(0, 256, (12, 12, 3), dtype=np.uint8)
    return cv2.resize(noise, (96, 96), interpolation=cv2.INTER_CUBIC)


def still(**changes):
    off = dict(size=96, crop_scale=(1, 1), crop_ratio=(1, 1), flip_prob=0, jitter_prob=0, grey_prob=0, blur_prob=0)
    return ContrastiveViews(**{**off, **changes})


def test_switched_off_it_is_the_identity(image):
    results = still().transform({'img': image})
    assert len(results['img']) == 2
    assert all((view == image).all() for view in results['img'])


def test_views_are_seeded_and_independent(image):
    views = ContrastiveViews(size=32)
    with seeded((1,)):
        first = views.transform({'img': image})['img']
    with seeded((1,)):
        again = views.transform({'img': image})['img']
    assert all((a == b).all() for a, b in zip(first, again, strict=True))
    assert (first[0] != first[1]).any()
    assert all(view.shape == (32, 32, 3) and view.dtype == np.uint8 for view in first)


def test_steps_do_what_their_names_say(image):
    assert (still(flip_prob=1).view(image) == image[:, ::-1]).all()
    assert (still(vertical_flip_prob=1).view(image) == image[::-1]).all()
    grey = still(grey_prob=1).view(image)
    assert (grey == grey_of(image)).all()
    noise = np.random.default_rng(1).integers(0, 256, (96, 96, 3), dtype=np.uint8)
    assert still(blur_prob=1, blur_sigma=(2, 2)).view(noise).std() < 0.3 * noise.std()


def test_jitter_strengths_are_limits(image):
    with seeded((5,)):
        ratios = [
            still(jitter_prob=1, jitter=(0.3, 0, 0, 0)).view(image // 3).mean() / (image // 3).mean()
            for _ in range(200)
        ]
    assert 0.69 < min(ratios) < 0.75
    assert 1.25 < max(ratios) < 1.31


def test_crop_windows_have_the_asked_area_and_aspect():
    with seeded((2,)):
        windows = np.array([crop_window(256, 256, (0.2, 0.6), (3 / 4, 4 / 3)) for _ in range(500)])
    rows, columns, tall, wide = windows.T
    area = tall * wide / 256**2
    assert 0.19 < area.min() < 0.25
    assert 0.55 < area.max() < 0.61
    assert (wide / tall > 0.73).all()
    assert (wide / tall < 1.36).all()
    assert ((rows + tall <= 256) & (columns + wide <= 256)).all()


def test_views_share_a_window(image):
    image = np.arange(96 * 96, dtype=np.int64).reshape(96, 96) // 48
    image = np.repeat((image % 250).astype(np.uint8)[..., None], 3, axis=2)
    with seeded((4,)):
        pairs = [still(window=24, size=24).transform({'img': image})['img'] for _ in range(20)]
    assert all((first == second).all() for first, second in pairs)
    assert len({int(first[0, 0, 0]) for first, _ in pairs}) > 5


@pytest.mark.parametrize('bands', [4, 6])
def test_further_bands_get_no_colour(image, bands):
    image = np.concatenate([image, image, image], axis=2)[..., :bands]
    image = np.ascontiguousarray(image)
    colored = still(jitter_prob=1, jitter=(0, 0, 0.9, 0), grey_prob=1).view(image)
    assert (colored[..., 0] == colored[..., 1]).all()
    assert (colored[..., 3:] == image[..., 3:]).all()
    rest = dict(blur_prob=1, blur_sigma=(1.5, 1.5), size=40, crop_scale=(0.3, 0.9), flip_prob=0.5)
    for seed in range(3):
        with seeded((seed,)):
            view = still(**rest).view(image)
        assert view.shape == (40, 40, bands)
        assert (view[..., 3] == view[..., 0]).all()


@pytest.mark.parametrize('bands', [1, 2])
@pytest.mark.parametrize('options', [{'size': 40}, {'size': 40, 'shrink': 'area'}, {'size': 120}])
def test_views_of_one_or_two_bands(image, bands, options):
    views = still(**options, crop_scale=(0.9, 1), flip_prob=1, blur_prob=1)
    with seeded((0,)):
        found = views.transform({'img': np.ascontiguousarray(image[..., :bands])})['img']
    with seeded((0,)):
        of_three = views.transform({'img': image})['img']
    for view, whole in zip(found, of_three, strict=True):
        assert view.shape == (options['size'], options['size'], bands)
        assert (view == whole[..., :bands]).all()


@pytest.mark.parametrize('color', [{'jitter_prob': 0.5}, {'grey_prob': 0.5}])
def test_one_band_has_no_colours(image, color):
    with pytest.raises(InputError, match=r'images of 1 band\(s\) have no colors to change; set its jitter_prob and'):
        still(**color).transform({'img': image[..., :1]})


@pytest.mark.parametrize(('source', 'size'), [((96, 96), 40), ((96, 50), 64), ((30, 40), 64)])
def test_resize_is_pillows(image, source, size):
    image = image[: source[0], : source[1]]
    wanted = np.asarray(Image.fromarray(image).resize((size, size), Image.Resampling.BILINEAR))
    found = resize(image, size)
    assert found.flags.c_contiguous
    assert np.abs(found.astype(int) - wanted).max() <= 1
    assert (resize(image, size, 'area').astype(int) != wanted).any()


@pytest.mark.parametrize('factor', [0.3, 1.0, 1.6])
def test_colour_steps_are_plain_arithmetic(image, factor):
    grey = grey_of(image).astype(float)
    for adjust, other in ((adjust_brightness, 0), (adjust_contrast, round(grey.mean())), (adjust_saturation, grey)):
        wanted = np.clip(image * factor + other * (1 - factor), 0, 255)
        assert np.abs(adjust(image, factor) - wanted).max() < 2, adjust.__name__


@pytest.mark.parametrize('sigma', [0.1, 0.5, 1.234, 2.0])
def test_blur_is_opencvs(image, sigma):
    wanted = cv2.GaussianBlur(image, (0, 0), sigma)
    difference = blur(image, sigma).astype(int) - wanted
    assert np.abs(difference).max() <= 1
    assert abs(difference.mean()) < 0.02


def test_views_are_stored_as_they_are_packed(image):
    for view in ContrastiveViews(size=32).transform({'img': image})['img']:
        assert view.transpose(2, 0, 1).flags.c_contiguous


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp('views')
    for number in range(7):
        noise = np.random.default_rng(number).integers(0, 256, (40, 40, 3), dtype=np.uint8)
        cv2.imwrite(str(folder / f'{number}.png'), noise)
    return folder


@pytest.mark.parametrize('color_on', ['loader', 'device'])
def test_views_do_not_depend_on_workers(folder, color_on):
    import mmpretrain.datasets  # noqa: F401
    from mmengine.registry import init_default_scope

    init_default_scope('mmpretrain')
    views = dict(type='ContrastiveViews', size=16, color_on=color_on)
    data = UnlabelledPatches(
        str(folder), data_prefix=dict(img_path=''), pipeline=[dict(type='LoadPatch'), views, dict(type='PackInputs')]
    )

    def load(workers):
        loader = DataLoader(
            data, 3, sampler=SeededSampler(data, seed=5), num_workers=workers, collate_fn=default_collate
        )
        return [batch['inputs'] for batch in loader]

    alone = load(0)
    assert [tensor.shape[0] for tensor in alone[0]] == [3] * (3 if color_on == 'device' else 2)
    for workers in (1, 2):
        for batch, other in zip(alone, load(workers), strict=True):
            assert all(torch.equal(one, same) for one, same in zip(batch, other, strict=True))


@pytest.mark.parametrize(
    ('arguments', 'text'),
    [
        ({'color_on': 'gpu'}, "color_on .* 'loader' or 'device'"),
        ({'shrink': 'lanczos'}, "shrink .* 'triangle' or 'area'"),
        ({'blur_prob': 1.2}, 'blur_prob'),
        ({'crop_scale': (0, 1)}, 'crop_scale'),
        ({'window': 0}, 'window'),
        ({'jitter': (1, 1, 1, 0.6)}, 'jitter'),
    ],
)
def test_arguments_out_of_range(arguments, text):
    with pytest.raises(InputError, match=text):
        ContrastiveViews(size=32, **arguments)
