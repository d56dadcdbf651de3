import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from projects.false.common.errors import InputError
from projects.false.patch_folder.labelled_lists import label_subset


def candidates(seed, n, classes):
    rng = np.random.default_rng(seed)
    counts = rng.integers(1, 500, (n, classes)) * (rng.random((n, classes)) < rng.choice([0.02, 0.2, 0.7], classes))
    return [f'patch_{i}' for i in range(n)], counts


@given(seed=st.integers(0, 1000), n=st.integers(1, 60), classes=st.integers(1, 8), fraction=st.floats(0.001, 1))
def test_size_nesting_and_classes(seed, n, classes, fraction):
    names, counts = candidates(seed, n, classes)
    subset = label_subset(names, counts, fraction, seed)
    assert len(subset.names) == max(1, round(fraction * n))
    assert subset.names == [name for name in names if name in set(subset.names)]
    assert set(label_subset(names, counts, fraction / 2, seed).names) <= set(subset.names)
    chosen = [names.index(name) for name in subset.names]
    exists, covered = counts.any(axis=0), counts[chosen].any(axis=0)
    assert subset.missing_classes == np.flatnonzero(exists & ~covered).tolist()
    if len(chosen) >= exists.sum():
        assert not subset.missing_classes


@given(seed=st.integers(0, 100))
def test_the_order_of_the_candidates_does_not_matter(seed):
    names, counts = candidates(seed, 30, 4)
    shuffle = np.random.default_rng(seed).permutation(30)
    again = label_subset([names[i] for i in shuffle], counts[shuffle], 0.2, seed)
    assert set(again.names) == set(label_subset(names, counts, 0.2, seed).names)


def test_a_rare_class_is_found():
    counts = np.zeros((200, 3), int)
    counts[:, 0] = 100
    counts[::2, 1] = 50
    counts[77, 2] = 1
    names = [f'p{i:03d}' for i in range(200)]
    for seed in range(5):
        assert 'p077' in label_subset(names, counts, 0.01, seed).names


def test_a_typical_area_is_preferred_to_a_few_pixels():
    counts = np.zeros((41, 1), int)
    counts[:20] = 1
    counts[20:] = 100
    names = [f'p{i:02d}' for i in range(41)]
    for seed in range(5):
        assert label_subset(names, counts, 1e-6, seed).names[0] >= 'p20'


def test_what_cannot_be_covered_is_told():
    assert label_subset(['a', 'b', 'c'], np.eye(3), 0.01, 0).missing_classes.__len__() == 2


def test_patches_without_labels_come_last():
    counts = np.zeros((10, 2), int)
    counts[3], counts[8] = (1, 0), (5, 5)
    names = [f'p{i}' for i in range(10)]
    assert label_subset(names, counts, 0.2, 0).names == ['p3', 'p8']


def test_seeds_draw_different_patches():
    names, counts = candidates(0, 200, 3)
    assert label_subset(names, counts, 0.1, 0) == label_subset(names, counts, 0.1, 0)
    assert label_subset(names, counts, 0.1, 0) != label_subset(names, counts, 0.1, 1)


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'fraction': 0}, 'label fraction is 0'),
        ({'fraction': 1.5}, 'label fraction is 1.5'),
        ({'fraction': float('nan')}, 'label fraction is nan'),
        ({'seed': -1}, 'seed is -1'),
        ({'names': []}, 'no patches'),
        ({'names': ['a', 'a']}, 'twice'),
        ({'class_counts': np.ones((3, 2))}, r'shape \(3, 2\)'),
    ],
)
def test_bad_arguments(change, message):
    good = {'names': ['a', 'b'], 'class_counts': np.ones((2, 2)), 'fraction': 0.5, 'seed': 0}
    with pytest.raises(InputError, match=message):
        label_subset(**(good | change))
