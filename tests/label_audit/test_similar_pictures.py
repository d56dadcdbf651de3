import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from projects.false.common.errors import InputError
from projects.false.converters.scenes.scene import draw_scene
from projects.false.label_audit import similar_pictures as code_search
from projects.false.label_audit.patch_checks import SAME_PLACE
from projects.false.label_audit.similar_pictures import grey_of_bands, nearest_codes, orientation_codes, shared_detail


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
    many=st.sampled_from([0, 10**6]),
)
def test_it_finds_what_comparing_all_finds(seed, radius, spread, block, many):
    rng = np.random.default_rng(seed)
    centres = rng.integers(0, 2**64, 5, dtype=np.uint64)
    codes = np.array([flipped(rng.choice(centres), rng.integers(0, 64, spread)) for _ in range(60)], np.uint64)
    queries = np.array(
        [[flipped(rng.choice(centres), rng.integers(0, 64, spread)) for _ in range(3)] for _ in range(20)]
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(code_search, '_BLOCK', block)
        patch.setattr(code_search, '_MANY', many)
        found, distances = nearest_codes(codes, queries, radius)
    expected, expected_distances = by_comparing_all(codes, queries, radius)
    assert found.tolist() == expected
    assert [d for d, f in zip(distances.tolist(), expected, strict=True) if f >= 0] == [
        d for d, f in zip(expected_distances, expected, strict=True) if f >= 0
    ]


@pytest.mark.parametrize('many', [0, 10**6])
@pytest.mark.parametrize('positions', [range(7), range(57, 64), [0, 1, 20, 21, 40, 41, 60], [0, 9, 18, 27, 36, 45, 63]])
def test_seven_bits_anywhere(positions, many, monkeypatch):
    monkeypatch.setattr(code_search, '_MANY', many)
    rng = np.random.default_rng(1)
    codes = rng.integers(0, 2**64, 2000, dtype=np.uint64)
    found, distances = nearest_codes(codes, flipped(codes[70], positions)[None, None])
    assert (found.tolist(), distances.tolist()) == ([70], [7])
    assert nearest_codes(codes, flipped(codes[70], positions)[None, None], radius=6)[0].tolist() == [-1]


@pytest.mark.parametrize(('many', 'share'), [(10**6, 0.01), (0, 0.0003)])
def test_few_pairs_are_compared(many, share, monkeypatch):
    monkeypatch.setattr(code_search, '_MANY', many)
    compared = []
    count = np.bitwise_count
    monkeypatch.setattr(code_search.np, 'bitwise_count', lambda values: compared.append(values.size) or count(values))
    rng = np.random.default_rng(2)
    nearest_codes(rng.integers(0, 2**64, 20000, dtype=np.uint64), rng.integers(0, 2**64, (500, 8), dtype=np.uint64))
    assert sum(compared) < share * 20000 * 500 * 8


def test_empty_sides_and_bad_radius():
    none = np.zeros(0, np.uint64)
    assert nearest_codes(none, np.zeros((2, 8), np.uint64))[0].tolist() == [-1, -1]
    assert nearest_codes(np.ones(3, np.uint64), np.zeros((0, 8), np.uint64))[0].tolist() == []
    for radius in (-1, 8):
        with pytest.raises(InputError, match=f'radius is {radius}'):
            nearest_codes(none, np.zeros((1, 8), np.uint64), radius)


@pytest.fixture(scope='module')
def scenes():
    picture = draw_scene(512, 3, 0)[0]
    return [
        picture[row : row + 128, column : column + 128] for row in range(0, 512, 128) for column in range(0, 512, 128)
    ]


def code(picture):
    return orientation_codes(grey_of_bands(picture))[0]


def bits(codes, one):
    return int(np.bitwise_count(codes ^ one).min())


def test_the_eight_codes_are_those_of_the_turned_pictures(scenes):
    for scene in scenes[:4]:
        grey = grey_of_bands(scene)
        turned = [np.rot90(side, turns) for side in (grey, grey.T) for turns in range(4)]
        expected = [int(orientation_codes(np.ascontiguousarray(picture))[0]) for picture in turned]
        codes = orientation_codes(grey)
        assert codes[0] == expected[0]
        # a frequency near zero may change its sign by rounding
        assert all(bits(codes, np.uint64(one)) <= 1 for one in expected)
        assert len(set(codes.tolist())) == 8


def test_a_picture_is_known_after_small_changes(scenes):
    for scene in scenes:
        codes = orientation_codes(grey_of_bands(scene))
        small = cv2.resize(scene, (64, 64), interpolation=cv2.INTER_AREA)
        compressed = cv2.imdecode(cv2.imencode('.jpg', scene, [cv2.IMWRITE_JPEG_QUALITY, 60])[1], cv2.IMREAD_COLOR)
        darker = (scene * 0.8).astype(np.uint8)
        assert max(bits(codes, code(picture)) for picture in (small, compressed, darker, scene[:, ::-1])) <= 7


def test_other_pictures_have_other_codes(scenes):
    codes = [orientation_codes(grey_of_bands(scene)) for scene in scenes]
    distances = [bits(codes[i], codes[j][0]) for i in range(len(codes)) for j in range(i)]
    assert np.median(distances) > 12
    assert min(distances) > 3


def test_blank_pictures_have_none():
    noise = np.random.default_rng(0).normal(0, 1, (32, 32)).astype(np.float32)
    assert orientation_codes(np.full((32, 32), 9, np.float32)) is None
    assert orientation_codes(40 + 0.5 * noise) is None
    assert orientation_codes(40 + 5 * noise) is not None
    with pytest.raises(InputError, match=r'shape \(4, 4, 3\)'):
        orientation_codes(np.zeros((4, 4, 3), np.float32))


def test_grey_takes_three_bands():
    image = np.zeros((2, 2, 5), np.uint8)
    image[..., 0], image[..., 4] = 30, 255
    assert grey_of_bands(image).tolist() == [[10, 10], [10, 10]]
    assert grey_of_bands(image[..., :1]).tolist() == [[30, 30], [30, 30]]


@pytest.fixture(scope='module')
def scene():
    return grey_of_bands(draw_scene(384, 5, 1)[0])


def test_the_same_place_turned_displaced_and_compressed(scene):
    patch = scene[100:228, 100:228]
    assert shared_detail(patch, patch) == pytest.approx(1, abs=1e-4)
    for changed in (np.rot90(patch), patch[::-1], patch.T, 255 - 0.5 * (255 - patch), scene[106:234, 94:222]):
        assert shared_detail(patch, np.ascontiguousarray(changed)) > 0.85
    code = cv2.imencode('.jpg', patch.astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, 60])[1]
    assert shared_detail(patch, cv2.imdecode(code, cv2.IMREAD_GRAYSCALE).astype(np.float32)) > SAME_PLACE


def test_other_places_share_little(scene):
    corners = [scene[row : row + 128, column : column + 128] for row in (0, 128, 256) for column in (0, 128, 256)]
    scores = [shared_detail(corners[i], corners[j]) for i in range(9) for j in range(i)]
    assert max(scores) < SAME_PLACE


def test_the_same_nodata_beside_other_places_is_not_the_same_place(scene):
    rows, columns = np.indices((128, 128))
    nodata = columns * 0.4 + rows > 100
    corners = [scene[row : row + 128, column : column + 128] for row in (0, 128) for column in (0, 128, 256)]
    scores = [
        shared_detail(np.where(nodata, 0, corners[i]), np.where(nodata, 0, corners[j]))
        for i in range(6)
        for j in range(i)
    ]
    assert max(scores) < SAME_PLACE


def test_a_flat_picture_shares_nothing(scene):
    flat = np.full((64, 64), 80, np.float32)
    assert shared_detail(scene[:64, :64], flat) == shared_detail(flat, scene[:64, :64]) == -1
