import unicodedata
from pathlib import Path

import cv2
import numpy as np
import pytest

from projects.false import InputError
from projects.false.common.random_state import seeded
from projects.false.datasets import DominantClass, ViewLandCover
from projects.false.datasets.view_labels import CountViewLabels
from projects.false.datasets.views.views import ContrastiveViews, resize


@pytest.fixture
def patch(tmp_path):
    """``patch(name, mask)`` writes both files and returns the data set's entry of the patch."""

    def make(name, mask):
        for kind, pixels in (('images', np.zeros((8, 8, 3), np.uint8)), ('masks', mask)):
            path = tmp_path / 'images' / 'of' / 'mine' / kind / f'{name}.png'
            path.parent.mkdir(parents=True, exist_ok=True)
            if pixels is not None:
                cv2.imwrite(str(path), pixels)
        return {'img_path': str(tmp_path / 'images' / 'of' / 'mine' / 'images' / f'{name}.png'), 'sample_idx': 6}

    return make


def filled(**rows):
    mask = np.full((8, 8), 255, np.uint8)
    start = 0
    for label, count in rows.items():
        mask[start : start + count] = int(label[1:])
        start += count
    return mask


@pytest.mark.parametrize(
    ('mask', 'label'), [(filled(c2=3, c5=4), 5), (filled(c0=1), 0), (filled(), -7), (filled(c253=8), 253)]
)
def test_the_commonest_class(patch, mask, label):
    assert DominantClass()(patch('a', mask))['land_cover'] == label


def test_a_mask_in_the_other_unicode_form(patch):
    composed, decomposed = (unicodedata.normalize(form, 'é') for form in ('NFC', 'NFD'))
    entry = patch(composed, filled(c3=8))
    mask = Path(entry['img_path'].replace('/mine/images/', '/mine/masks/'))
    mask.rename(mask.with_name(f'{decomposed}.png'))
    assert DominantClass()(entry)['land_cover'] == 3


def test_no_mask(patch):
    with pytest.raises(InputError, match=r'masks/a\.png: no mask for .*images/a\.png; oracle needs labels'):
        DominantClass()(patch('a', None))


def test_patches_that_are_no_files(tmp_path):
    with pytest.raises(InputError, match='set packed=False'):
        DominantClass()({'img_path': f'{tmp_path}/packed/images.npy/a', 'sample_idx': 0})


def test_shares_of_every_view(patch):
    results = patch('a', filled(c0=2, c1=4))  # two rows of class 0, four of 1, two without a label
    results['view_windows'] = np.array([[0, 0, 8, 8], [1, 2, 2, 3], [6, 0, 2, 8]])
    found = ViewLandCover(classes=3)(results)['land_cover']
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, [[1 / 3, 2 / 3, 0], [0.5, 0.5, 0], [0, 0, 0]], rtol=1e-6)


def test_view_land_cover_refuses(patch):
    with pytest.raises(InputError, match='put it after ContrastiveViews'):
        ViewLandCover(classes=3)(patch('a', filled(c0=2)))
    with pytest.raises(InputError, match='classes of ViewLandCover'):
        ViewLandCover(classes=0)
    results = patch('b', filled(c4=2)) | {'view_windows': np.array([[0, 0, 8, 8]])}
    with pytest.raises(InputError, match=r'masks/b\.png'):
        ViewLandCover(classes=3)(results)


def drawn(seed, **changes):
    generator = np.random.default_rng(seed)
    mask = cv2.resize(generator.integers(0, 3, (8, 6), dtype=np.uint8), (60, 80), interpolation=cv2.INTER_NEAREST)
    mask[:10, :10] = 255
    image = generator.integers(0, 256, (80, 60, 3), dtype=np.uint8)
    off = dict(size=32, flip_prob=0, jitter_prob=0, grey_prob=0, blur_prob=0, shrink='area')
    with seeded((seed,)):
        results = ContrastiveViews(**{**off, **changes})({'img': image})
    return image, mask, {**results, 'gt_seg_map': mask, 'seg_fields': ['gt_seg_map']}


@pytest.mark.parametrize('window', [None, 40, 70])
@pytest.mark.parametrize('seed', range(5))
def test_windows_are_where_the_views_are_cut_from_and_counts_are_of_them(window, seed):
    image, mask, results = drawn(seed, window=window, num_views=3)
    counts = CountViewLabels(3).transform(dict(results))['view_classes']
    assert counts.shape == (3, 3)
    for view, place, found in zip(results['img'], results['view_windows'], counts, strict=True):
        top, left, height, width = place
        assert (resize(image[top : top + height, left : left + width], 32, 'area') == view).all()
        pixels = mask[top : top + height, left : left + width]
        assert found.tolist() == [(pixels == number).sum() for number in range(3)]


def test_of_the_whole_patch():
    _, mask, results = drawn(1)
    found = CountViewLabels(3, 'patch').transform(results)
    assert found['view_classes'].tolist() == [[(mask == number).sum() for number in range(3)]]
    assert found['view_windows'].tolist() == [[0, 0, 80, 60]]
    assert 'gt_seg_map' not in found


def test_views_of_unknown_windows_are_refused():
    _, _, results = drawn(1)
    del results['view_windows']
    with pytest.raises(InputError, match='--labels patch'):
        CountViewLabels(3).transform(results)
    with pytest.raises(InputError, match="got 'tile'"):
        CountViewLabels(3, 'tile')
