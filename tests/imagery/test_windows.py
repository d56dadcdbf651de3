import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from projects.false.common.errors import InputError
from projects.false.imagery.windows import grid


@given(data=st.data(), size=st.integers(1, 12))
def test_every_pixel_is_covered_and_no_window_occurs_twice(data, size):
    stride = data.draw(st.integers(1, size))
    height, width = data.draw(st.tuples(st.integers(size, 50), st.integers(size, 50)))
    windows = grid(height, width, size, stride)
    seen = np.zeros((height, width), int)
    for row, column in windows:
        part = seen[row : row + size, column : column + size]
        assert part.shape == (size, size)
        part += 1
    assert seen.all()
    assert len(set(windows)) == len(windows)
    assert windows == sorted(windows)


def test_regular_windows_lie_on_the_stride_and_the_last_is_shifted_inwards():
    assert grid(10, 4, 4, 4) == [(0, 0), (4, 0), (6, 0)]
    assert grid(8, 8, 4, 4) == [(0, 0), (0, 4), (4, 0), (4, 4)]


@pytest.mark.parametrize(('side', 'size', 'count'), [(6000, 256, 576), (2448, 512, 25)])
def test_published_counts(side, size, count):
    assert len(grid(side, side, size, size)) == count


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (
            (100, 63, 64, 64),
            'image of 100 x 63 pixels .* smaller than the patch size 64; give a patch size of at most 63',
        ),
        ((9, 9, 0, 1), 'patch size is 0'),
        ((9, 9, 4, 0), 'stride is 0'),
        ((9, 9, 4, 5), 'stride is 5'),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(InputError, match=message):
        grid(*arguments)
