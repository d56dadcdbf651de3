"""Masks that do not fit their images; wrong values are tested with reading."""

import pytest

from projects.false import InputError
from projects.false.imagery.mask_checks import check_sizes


@pytest.mark.parametrize(
    ('mask', 'image', 'way_out'),
    [
        (
            (63, 64),
            (64, 64),
            'begin at the upper left, cut the larger: gdal_translate -srcwin 0 0 64 63 FILE NEW_FILE',
        ),
        ((66, 63), (64, 64), 'cut the larger: gdal_translate -srcwin 0 0 63 64 FILE NEW_FILE'),
        ((32, 64), (64, 32), 'one of them lies on its side: turn it'),
        ((32, 50), (64, 100), 'bring the mask to that size: gdal_translate -r nearest -outsize 100 64 FILE NEW_FILE'),
        ((33, 66), (100, 200), 'bring the mask to that size'),
        ((64, 20), (64, 64), 'give the mask of this image'),
    ],
)
def test_sizes_that_differ_are_refused_with_what_mends_them(mask, image, way_out):
    check_sizes(image, (*image, 3), 'm.png', 'i.png')
    with pytest.raises(InputError) as caught:
        check_sizes(mask, (*image, 3), 'm.png', 'i.png')
    assert str(caught.value).startswith(f'm.png: mask of {mask[0]} x {mask[1]} pixels (height x width), but its image ')
    assert way_out in str(caught.value)
