import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from projects.false.common.errors import InputError
from projects.false.label_audit import similar_pictures as code_search
from projects.false.label_audit.similar_pictures import nearest_codes


def flipped(code, positions):
    for position in positions:
        code = code ^ (np.uint64(1) << np.uint64(position))
    return code


def by_comparing_all(codes, queries, radius):
    found, distances = [], []
    for query in queries:
        distance = np.bitwise_count(codes[:, None] ^ query[None]).min(axis=1).astype(int)
        found.append(int(distance.argmin()) if distance.min() <= radius else -1)
        distances.append(int(distance.min()))
    return found, distances


@settings(deadline=None, max_examples=30)
@given(
    seed=st.integers(0, 10**6),
    radius=st.integers(0, 7),
    spread=st.integers(1, 12),
    block=st.sampled_from([1, 50, 10**6]),
)
def test_it_finds_what_comparing_all_finds(seed, radius, spread, block):
    rng = np.random.default_rng(seed)
    centres = rng.integers(0, 2**64, 5, dtype=np.uint64)
    codes = np.array([flipped(rng.choice(centres), rng.integers(0, 64, spread)) for _ in range(60)], np.uint64)
    queries = np.array(
        [[flipped(rng.choice(centres), rng.integers(0, 64, spread)) for _ in range(3)] for _ in range(20)]
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(code_search, '_BLOCK', block)
        found, distances = nearest_codes(codes, queries, radius)
    expected, expected_distances = by_comparing_all(codes, queries, radius)
    assert found.tolist() == expected
    assert [d for d, f in zip(distances.tolist(), expected, strict=True) if f >= 0] == [
        d for d, f in zip(expected_distances, expected, strict=True) if f >= 0
    ]


@pytest.mark.parametrize('positions', [range(7), range(57, 64), [0, 1, 20, 21, 40, 41, 60], [0, 9, 18, 27, 36, 45, 63]])
def test_seven_bits_anywhere(positions):
    rng = np.random.default_rng(1)
    codes = rng.integers(0, 2**64, 2000, dtype=np.uint64)
    found, distances = nearest_codes(codes, flipped(codes[70], positions)[None, None])
    assert (found.tolist(), distances.tolist()) == ([70], [7])
    assert nearest_codes(codes, flipped(codes[70], positions)[None, None], radius=6)[0].tolist() == [-1]


def test_few_pairs_are_compared(monkeypatch):
    compared = []
    count = np.bitwise_count
    monkeypatch.setattr(code_search.np, 'bitwise_count', lambda values: compared.append(values.size) or count(values))
    rng = np.random.default_rng(2)
    nearest_codes(rng.integers(0, 2**64, 20000, dtype=np.uint64), rng.integers(0, 2**64, (500, 8), dtype=np.uint64))
    assert sum(compared) < 0.01 * 20000 * 500 * 8


def test_empty_sides_and_bad_radius():
    none = np.zeros(0, np.uint64)
    assert nearest_codes(none, np.zeros((2, 8), np.uint64))[0].tolist() == [-1, -1]
    assert nearest_codes(np.ones(3, np.uint64), np.zeros((0, 8), np.uint64))[0].tolist() == []
    for radius in (-1, 8):
        with pytest.raises(InputError, match=f'radius is {radius}'):
            nearest_codes(none, np.zeros((1, 8), np.uint64), radius)
