import base64
import re

import cv2
import numpy as np
from finished_quickstart import PALETTE, draw_label

from projects.false.reports.pictures import SIDE, embedded, mask_picture, photo


def test_masks_grow_by_whole_pixels():
    label = draw_label(5)
    picture = mask_picture(label, PALETTE)
    assert picture.shape == (SIDE, SIDE, 3)
    assert np.array_equal(picture, np.kron(picture[4::8, 4::8], np.ones((8, 8, 1), np.uint8)))
    for index, color in enumerate(PALETTE.colors[:3]):
        assert (picture[4::8, 4::8][label == index] == color[::-1]).all()


def test_large_masks_shrink_without_new_colours():
    label = np.random.default_rng(0).integers(0, 4, (600, 500), dtype=np.uint8)
    picture = mask_picture(label, PALETTE)
    assert max(picture.shape[:2]) == SIDE
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) == 4


def test_ignored_pixels_are_grey_and_like_no_class():
    picture = mask_picture(np.full((8, 8), 255, np.uint8), PALETTE)
    assert (np.ptp(picture, axis=2) == 0).all()
    assert len(np.unique(picture)) == 2


def test_photos_only_shrink():
    assert photo(np.zeros((20, 30, 3), np.uint8)).shape == (20, 30, 3)
    assert photo(np.zeros((500, 1000, 3), np.uint8)).shape == (SIDE // 2, SIDE, 3)


def test_an_embedded_picture_comes_back():
    picture = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    element = embedded(picture, 'a field')
    assert 'alt="a field"' in element
    assert 'width="7" height="5"' in element
    data = base64.b64decode(re.search('base64,([^"]+)"', element)[1])
    assert np.array_equal(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR), picture)
