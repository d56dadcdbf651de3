import base64
import re

import cv2
import numpy as np
import pytest

from projects.false.reports.pictures import SIDE, contact_sheet, embedded, enlarged, mask_picture, photo
from tests.helpers.finished_quickstart import PALETTE, draw_label


@pytest.mark.parametrize(('size', 'shown'), [((32, 32), (256, 256)), ((100, 60), (200, 120)), ((512, 256), (256, 128))])
def test_small_ones_grow_by_whole_factors(size, shown):
    picture = enlarged(np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8))
    assert picture.shape == (*shown, 3)
    if shown[0] > size[0]:
        factor = shown[0] // size[0]
        assert (picture[:factor, :factor] == picture[0, 0]).all()


def plain(color):
    return np.full((SIDE, SIDE, 3), color, np.uint8)


def test_pictures_lie_in_rows_and_columns():
    colors = [[(9, 0, 0), (0, 9, 0)], [(0, 0, 9), (9, 9, 0)]]
    sheet = contact_sheet(
        'title', ['left', 'right'], [(f'row {n}', list(map(plain, row))) for n, row in enumerate(colors)]
    )
    boxes = []
    for color in [color for row in colors for color in row]:
        rows, columns = np.nonzero((sheet == color).all(-1))
        assert len(rows) == SIDE * SIDE
        boxes.append((rows.min(), columns.min()))
    (one, two), (three, four) = boxes[:2], boxes[2:]
    assert one[0] == two[0] < three[0] == four[0]
    assert one[1] == three[1] < two[1] == four[1]


def test_the_legend_shows_every_class_and_takes_the_lines_it_needs():
    rows = [('row', [plain((9, 9, 9))])]
    without, with_legend = contact_sheet('t', ['c'], rows), contact_sheet('t', ['c'], rows, PALETTE)
    assert with_legend.shape[0] >= without.shape[0] + 2 * 22  # five names do not fit beside each other in 276 pixels
    for color in PALETTE.colors:
        assert (with_legend == color[::-1]).all(-1).sum() > 50
    assert (with_legend == (110, 110, 110)).all(-1).sum() > 20


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
