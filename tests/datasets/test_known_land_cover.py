import cv2
import numpy as np
import pytest

from projects.false import InputError
from projects.false.datasets import DominantClass, ViewLandCover


@pytest.fixture
def patch(tmp_path):
    """``patch(name, mask)`` writes both files and gives what a data set says of the patch."""

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
