"""Duplicates planted among made scenes are found, and nothing else is."""

import cv2
import numpy as np
import pytest

from projects.false.converters.scenes.scene import draw_scene
from projects.false.label_audit.patch_checks import PatchFacts, find_duplicates
from projects.false.label_audit.similar_pictures import grey_of_bands, orientation_codes, shared_detail

SIZE = 96


@pytest.fixture(scope='module')
def scenes():
    """Patches of two scenes, one for training, one for testing."""
    cut = [(row, column) for row in range(0, 384, SIZE) for column in range(0, 384, SIZE)]
    pictures = {side: draw_scene(384, 7, number)[0] for number, side in enumerate(('train', 'test'))}
    return {
        f'{side}_{row}_{column}': picture[row : row + SIZE, column : column + SIZE]
        for side, picture in pictures.items()
        for row, column in cut
    }


def search(pictures):
    facts = {}
    for name, picture in pictures.items():
        codes = orientation_codes(grey_of_bands(picture))
        facts[name] = PatchFacts(None, None if codes is None else picture.tobytes()[:4096], codes, [])
    training = [name for name in pictures if name.startswith('train')]
    testing = {name: 'test' for name in pictures if name not in training}
    return find_duplicates(
        facts,
        training,
        testing,
        lambda pairs: [shared_detail(*(grey_of_bands(pictures[name]) for name in pair)) for pair in pairs],
    )


def test_nothing_is_found_between_two_scenes(scenes):
    assert search(scenes) == []


def test_planted_duplicates_are_found(scenes):
    source = scenes['train_96_192']
    code = cv2.imencode('.jpg', np.ascontiguousarray(np.rot90(source)), [cv2.IMWRITE_JPEG_QUALITY, 70])[1]
    planted = {
        'copy': ('identical', source),
        'compressed': ('near duplicate', cv2.imdecode(code, cv2.IMREAD_COLOR)),
        'brighter': ('near duplicate', cv2.convertScaleAbs(source[:, ::-1], alpha=1.1, beta=5)),
        'smaller': ('near duplicate', cv2.resize(source, (64, 64), interpolation=cv2.INTER_AREA)),
    }
    findings = search(scenes | {name: picture for name, (_, picture) in planted.items()})
    assert {finding.patch: finding.kind for finding in findings} == {name: kind for name, (kind, _) in planted.items()}
    assert {finding.other for finding in findings} == {'train_96_192'}


def test_blank_patches_and_patches_on_both_sides_are_left_out(scenes):
    blank = np.zeros((SIZE, SIZE, 3), np.uint8)
    assert search(scenes | {'train_blank': blank, 'test_blank': blank}) == []
    facts = {'a': PatchFacts(None, b'1', np.arange(8, dtype=np.uint64), [])}
    assert find_duplicates(facts, ['a'], {'a': 'test'}, lambda pairs: [1.0] * len(pairs)) == []
