import numpy as np
import pytest
from finished_quickstart import PALETTE

from projects.false.reports.pictures import SIDE, contact_sheet, enlarged


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
