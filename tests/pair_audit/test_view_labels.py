import cv2
import numpy as np
import pytest

from projects.false import InputError
from projects.false.common.random_state import seeded
from projects.false.datasets.view_labels import CountViewLabels
from projects.false.datasets.views.views import ContrastiveViews, resize


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
