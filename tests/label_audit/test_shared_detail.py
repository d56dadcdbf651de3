import cv2
import numpy as np
import pytest

from projects.false.converters.scenes.scene import draw_scene
from projects.false.label_audit.patch_checks import SAME_PLACE
from projects.false.label_audit.similar_pictures import grey_of_bands, shared_detail


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
