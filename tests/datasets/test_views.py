import cv2
import numpy as np
import pytest

from projects.false import InputError
from projects.false.datasets.color_jitter import grey_of
from projects.false.datasets.seeding import seeded
from projects.false.datasets.views import ContrastiveViews, crop_window


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


def test_distribution_is_that_of_mmpretrain(image):
    """Mean, spread and saturation of 400 views a side lie as close as two halves of one side do."""
    import mmpretrain.datasets  # noqa: F401
    from mmengine.registry import TRANSFORMS, init_default_scope

    init_default_scope('mmpretrain')
    stock = [
        dict(type='RandomResizedCrop', scale=48, crop_ratio_range=(0.08, 1.0), backend='pillow'),
        dict(type='RandomFlip', prob=0.5),
        dict(
            type='RandomApply',
            transforms=[dict(type='ColorJitter', brightness=0.8, contrast=0.8, saturation=0.8, hue=0.2)],
            prob=0.8,
        ),
        dict(type='RandomGrayscale', prob=0.2, keep_channels=True, channel_weights=(0.114, 0.587, 0.2989)),
        dict(type='GaussianBlur', magnitude_range=(0.1, 2.0), magnitude_std='inf', prob=0.5),
    ]
    steps = [TRANSFORMS.build(step) for step in stock]

    def stock_view():
        results = {'img': image, 'img_shape': image.shape[:2]}
        for step in steps:
            results = step(results)
        return results['img']

    ours = ContrastiveViews(size=48)
    with seeded((7,)):
        mine = [ours.view(image) for _ in range(400)]
        theirs = [stock_view() for _ in range(400)]

    def statistics(views):
        rows = []
        for view in views:
            saturation = cv2.cvtColor(view, cv2.COLOR_BGR2HSV)[..., 1].mean()
            rows.append([view.mean(), view.std(), saturation, np.log1p(cv2.Laplacian(view, cv2.CV_64F).var())])
        return np.array(rows)

    mine, theirs = statistics(mine), statistics(theirs)
    error = np.sqrt(mine.var(0) / len(mine) + theirs.var(0) / len(theirs))
    assert (np.abs(mine.mean(0) - theirs.mean(0)) < 4 * error).all(), (mine.mean(0), theirs.mean(0), error)


@pytest.mark.parametrize(
    ('arguments', 'text'),
    [
        ({'blur_prob': 1.2}, 'blur_prob'),
        ({'crop_scale': (0, 1)}, 'crop_scale'),
        ({'window': 0}, 'window'),
        ({'jitter': (1, 1, 1, 0.6)}, 'jitter'),
    ],
)
def test_arguments_out_of_range(arguments, text):
    with pytest.raises(InputError, match=text):
        ContrastiveViews(size=32, **arguments)
