import cv2
import numpy as np
import pytest

from projects.false.common.errors import InputError
from projects.false.converters.scenes.scene import draw_scene
from projects.false.label_audit.similar_pictures import grey_of_bands, orientation_codes


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
