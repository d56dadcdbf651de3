"""Regions found strip by strip are those of the whole map, and small ones join the neighbour beside them."""

import numpy as np
import pytest
from scipy import ndimage

from projects.false.vectors.regions import Regions


def patchy(height, width, seed=0, smooth=2.0, classes=4, nodata=0.1):
    """A map with patches of every size, a tenth of it nodata."""
    generator = np.random.default_rng(seed)
    values = ndimage.gaussian_filter(generator.normal(size=(classes, height, width)), (0, smooth, smooth))
    found = values.argmax(0).astype(np.uint8)
    found[values.max(0) < np.quantile(values.max(0), nodata)] = 255
    return found


def find(classes, confidence=None, least=0, rows=16, step=7):
    """The finished regions, and the region of every pixel."""
    regions = Regions(classes.shape[1], least, rows)
    confidence = np.full_like(classes, 50) if confidence is None else confidence
    for row in range(0, len(classes), step):
        regions.add(classes[row : row + step], confidence[row : row + step])
    regions.finish()
    strips = range(0, len(classes), rows)
    return regions, np.concatenate([regions.strip(i, classes[row : row + rows]) for i, row in enumerate(strips)])


@pytest.mark.parametrize('rows', [1, 16, 100])
def test_regions_are_the_connected_pixels_of_a_class(rows):
    classes = patchy(50, 60)
    confidence = np.random.default_rng(1).integers(0, 101, classes.shape, dtype=np.uint8)
    regions, numbers = find(classes, confidence, rows=rows)
    assert ((numbers == 0) == (classes == 255)).all()
    seen = set()
    for value in range(4):
        labels, count = ndimage.label(classes == value)
        for label in range(1, count + 1):
            inside = labels == label
            (number,) = np.unique(numbers[inside])
            assert (numbers[inside] == number).all()
            assert regions.classes[number] == value
            assert regions.confidence[number] == pytest.approx(confidence[inside].mean())
            assert regions.last_strip[number] == np.flatnonzero(inside.any(axis=1))[-1] // rows
            seen.add(int(number))
    assert seen == set(range(1, len(regions.classes)))


@pytest.mark.parametrize('rows', [5, 100])
def test_small_regions_join_and_none_is_left(rows):
    classes = patchy(50, 60, nodata=0)
    regions, numbers = find(classes, least=20, rows=rows)
    sizes = np.bincount(numbers.ravel())
    assert sizes[0] == regions.dropped == 0
    assert sizes[1:].min() >= 20
    assert regions.joined > 5
    found = regions.classes[numbers]
    assert len(find(found)[0].classes) == len(regions.classes)  # each is connected and none touches its own class
    large = np.zeros(classes.shape, bool)
    for value in range(4):
        labels, _ = ndimage.label(classes == value)
        large |= (np.bincount(labels.ravel()) >= 20)[labels] & (labels > 0)
    assert (found[large] == classes[large]).all()


def test_the_longest_border_decides_and_what_was_kept_apart_is_united():
    classes = np.zeros((6, 9), np.uint8)
    classes[:, 4] = 1  # a wall between two regions of class 0
    classes[2:4, 6:8] = 2
    regions, numbers = find(classes, least=7)
    assert (numbers == 1).all()
    assert regions.joined == 2
    classes[:, 5:] = 3
    regions, numbers = find(classes, least=7)  # both sides are as long: the larger neighbour, of equal ones the first
    assert regions.classes[numbers].tolist() == [[0] * 4 + [0] + [3] * 4] * 6 or regions.classes[numbers][0, 4] in (
        0,
        3,
    )


def test_an_island_in_nodata_is_dropped_if_it_is_small():
    classes = np.full((9, 9), 255, np.uint8)
    classes[1:3, 1:3], classes[5:9, 5:9] = 1, 2
    regions, numbers = find(classes, least=5)
    assert regions.dropped == 1
    assert (numbers > 0).sum() == 16


def test_nothing_but_nodata():
    regions, numbers = find(np.full((9, 9), 255, np.uint8), least=3)
    assert (len(regions.classes), numbers.any()) == (1, False)
